"""A chart and its table as files that leave the screen."""

from __future__ import annotations

import vl_convert

from kc_model.charts.words import Picture
from kc_model.export import Stamp, shown_workbook
from kc_model.wording import Language

__all__ = ["picture_files"]

_SHARPER = 2.0  # pixels of a saved picture per pixel on screen


def picture_files(
    picture: Picture, stamp: Stamp, name: str, language: Language = "vi"
) -> dict[str, bytes]:
    """Return a chart as PNG and SVG and its table as a workbook, made without a network.

    Parameters
    ----------
    stamp : Stamp
        What the workbook says about itself.
    name : str
        Of the files, without an ending.
    language : {"vi", "en"}
        The picture's.

    Returns
    -------
    dict of str to bytes
        ``name.png``, ``name.svg``, ``name.xlsx``; `kc_model.export.save_files` puts them in a
        folder.
    """
    spec = picture.spec()
    return {
        f"{name}.png": vl_convert.vegalite_to_png(spec, scale=_SHARPER),
        f"{name}.svg": vl_convert.vegalite_to_svg(spec).encode("utf-8"),
        f"{name}.xlsx": shown_workbook(
            stamp, picture.heading, picture.unit, picture.table, language
        ),
    }
