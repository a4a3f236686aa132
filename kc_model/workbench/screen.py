"""The one door to the screen: charts without a network, tables, messages, downloads.

Everything shown passes here, so that names are escaped in one place and no chart ever asks the
network for its code.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from html import escape
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets
import traitlets

from kc_model.errors import SaveError
from kc_model.wording import Language, say

if TYPE_CHECKING:
    from kc_model.charts import Picture

__all__ = [
    "ChartView",
    "Field",
    "Grid",
    "GridCell",
    "GridColumn",
    "Keys",
    "Part",
    "Slider",
    "Text",
    "bullets",
    "download",
    "fold",
    "heading",
    "message",
    "named",
    "row",
    "style",
    "table",
]


_BUNDLE = "export default vegaEmbed;"  # comes with all it needs; nothing is fetched


@cache
def _own(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


class Part(anywidget.AnyWidget):
    """What our own code draws; it survives a start too slow for anywidget (awake.js).

    Its class names a file of this folder, `_file`, and hears in `_told` what the page says.
    """

    _file = ""

    def __init__(self, **traits: Any) -> None:
        type(self)._esm = _own("awake.js") + _own(self._file)
        super().__init__(**traits)
        self.on_msg(self._heard)

    def _heard(self, _part: Any, content: Any, _buffers: Any) -> None:
        if content.get("again"):
            self.send_state([key for key in self.keys if key != "_esm"])
        else:
            self._told(content)

    def _told(self, content: Any) -> None:
        """Do what the page says."""


@cache
def _bundle() -> tuple[str, str]:
    """Return the code that draws charts, and a name that tells what it was made of.

    It is made once per installation, as it takes seconds, and kept under its name beside Python's
    own compiled files.
    """
    made_by = [metadata.version(name) for name in ("altair", "vl-convert-python")]
    name = hashlib.sha256(" ".join([_BUNDLE, *made_by]).encode()).hexdigest()
    kept = Path(__file__).with_name("__pycache__") / f"{name}.js"
    if not kept.is_file():
        return _make_bundle(kept), name
    return kept.read_text(encoding="utf-8"), name


def _make_bundle(kept: Path) -> str:
    import altair as alt  # noqa: PLC0415 - the page stands before what takes seconds to import
    import vl_convert  # noqa: PLC0415

    from kc_model.export import save_file  # noqa: PLC0415

    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    made = str(vl_convert.javascript_bundle(_BUNDLE, vl_version=version))
    with suppress(SaveError, OSError):  # a folder that is not ours: made again next time
        save_file(kept, made.encode())
    return made


class _Engine(Part):
    """Brings the code that draws charts to the page; all of them share it."""

    _file = "engine.js"
    code = traitlets.Unicode().tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)


@cache
def _engine() -> _Engine:
    code, name = _bundle()
    return _Engine(code=code, name=name)


def style() -> str:
    """Return the style sheet as markup."""
    return f"<style>{_own('screen.css')}</style>"


def named(css_class: str, name: str) -> str:
    """Return markup that names a button which would add a count of its own to what it is called."""
    return f'<style>.{css_class}::after {{ content: "{escape(name)}"; }}</style>'


class ChartView(Part):
    """A chart on screen; a new picture of the same structure only exchanges data and heading."""

    _file = "chart.js"
    engine = traitlets.Unicode().tag(sync=True)
    picture = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    menu = traitlets.Dict().tag(sync=True)
    greyed = traitlets.Bool(False).tag(sync=True)

    def __init__(self) -> None:
        super().__init__(engine=_engine().name, menu=_menu("vi"))

    def show(self, picture: Picture, language: Language = "vi") -> None:
        """Show a picture in full colour, in one message, without a blank moment."""
        with self.hold_sync():
            self.menu = _menu(language)
            self.picture = {
                "structure": picture.structure,
                "rows": picture.rows,
                "heading": picture.heading,
                "description": picture.description,
            }
            self.greyed = False


def _menu(language: Language) -> dict[str, str]:
    return {key: say(f"charts.menu.{key}", language) for key in ("open", "svg", "png", "failed")}


class Slider(Part):
    """A slider over a list of values, each with its text; a drag moves it once.

    Parameters
    ----------
    value : object
        One of them.

    Attributes
    ----------
    label : str
    texts : list of str
        What each value is called, for the eye and for screen readers.
    index : int
        Number of the value it stands at.
    """

    _file = "slider.js"
    label = traitlets.Unicode("").tag(sync=True)
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)

    def __init__(self, values: Sequence[Any], value: Any) -> None:
        self.values = tuple(values)
        texts = [str(one) for one in self.values]
        super().__init__(index=self.values.index(value), texts=texts)

    def offer(self, values: Sequence[Any], value: Any, texts: Sequence[str]) -> None:
        """Offer other values, in one message."""
        with self.hold_sync():
            self.values, self.texts = tuple(values), list(texts)
            self.index = self.values.index(value)

    @property
    def value(self) -> Any:
        """Return the value it stands at; setting it moves the slider."""
        return self.values[self.index]

    @value.setter
    def value(self, value: Any) -> None:
        """Move the slider to a value."""
        self.index = self.values.index(value)


class Field(Part):
    """A text to type, known before a button that is pressed after it.

    Attributes
    ----------
    value : str
        What the box shows.
    description, placeholder : str
    """

    _file = "field.js"
    description = traitlets.Unicode("").tag(sync=True)
    placeholder = traitlets.Unicode("").tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)  # what a page that comes up shows

    @property
    def value(self) -> str:
        """Return what the box shows; setting it fills the box."""
        return str(self.text)

    @value.setter
    def value(self, value: str) -> None:
        """Fill the box."""
        self.text = value
        self.send({"text": value})

    def _told(self, content: Any) -> None:
        self.text = str(content["text"])


@dataclass(frozen=True)
class GridColumn:
    """One column of a `Grid`.

    Parameters
    ----------
    kind : {"fixed", "text", "number", "choice", "action"}
    options : tuple of str
        Of a choice.
    """

    label: str
    kind: str = "text"
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class GridCell:
    """What stands in one cell of a `Grid`.

    Parameters
    ----------
    text : str
        What a planner edits: 2.500,5.
    shown : str
        What stands there meanwhile: 2.500,5 triệu đồng.
    error : str
        Why what was typed cannot be taken; "" if it was.
    """

    text: str
    shown: str
    error: str = ""


class Grid(Part):
    """A table filled in by keys, mouse or a block from Excel; what is typed is read in Python.

    Parameters
    ----------
    edit : callable (list of (row, column, text)) -> None
        Told what was typed or pasted, cell by cell.
    over : callable (list of str, int, int) -> None
        Told of a block of which nothing is taken: the values that have no cell to go to, how many
        lines it has, and how many the table has from there on.

    Attributes
    ----------
    label : str
    said : str
        What stands under the table after a change, and screen readers announce.
    is_refusal : bool
        Whether that says why nothing was done.
    """

    _file = "grid.js"
    label = traitlets.Unicode("").tag(sync=True)
    columns = traitlets.List(traitlets.Dict()).tag(sync=True)
    rows = traitlets.List(traitlets.List(traitlets.Dict())).tag(sync=True)
    said = traitlets.Unicode("").tag(sync=True)
    is_refusal = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        edit: Callable[[list[tuple[int, int, str]]], None],
        over: Callable[[list[str], int, int], None],
    ) -> None:
        super().__init__()
        self._edit, self._over = edit, over

    def say(self, text: str, *, is_refusal: bool = False) -> None:
        """Say what was done, or why nothing was; "" takes back what was said."""
        with self.hold_sync():
            self.said, self.is_refusal = text, is_refusal

    def show(self, columns: Sequence[GridColumn], rows: Sequence[Sequence[GridCell]]) -> None:
        """Show a table; the first column names the rows."""
        with self.hold_sync():
            self.columns = [asdict(column) for column in columns]
            self.rows = [[dict(vars(cell)) for cell in row] for row in rows]

    def go(self, row: int, column: int) -> None:
        """Let the cursor follow a row that went elsewhere, if it is in the table."""
        self.send({"go": [row, column]})

    def show_last(self) -> None:
        """Bring a row that was just added into view."""
        self.send({"last": True})

    def _told(self, content: Any) -> None:
        if "over" in content:
            values = [str(one) for one in content["over"]]
            self._over(values, int(content["lines"]), int(content["room"]))
        else:
            self._edit([(int(r), int(c), str(text)) for r, c, text in content["edits"]])


class Keys(Part):
    """Hears Ctrl+Z, Ctrl+Y and Ctrl+Shift+Z on a whole desk, and keeps the cursor from being lost.

    A cursor whose button is gone goes to the one of the class ``kc-undo``.

    Parameters
    ----------
    undo, redo : callable () -> None
    """

    _file = "keys.js"

    def __init__(self, undo: Callable[[], None], redo: Callable[[], None]) -> None:
        super().__init__()
        self._undo, self._redo = undo, redo

    def _told(self, content: Any) -> None:
        (self._undo if content["step"] < 0 else self._redo)()


class Text(ipywidgets.HTML):  # type: ignore[misc]
    """Markup that this module made; every name in it is escaped."""

    def __init__(self, value: str = "") -> None:
        super().__init__(value)


def heading(title: str, line: str = "") -> str:
    """Return a heading and a line under it."""
    return f"<h2>{escape(title)}</h2>" + (f"<p>{escape(line)}</p>" if line else "")


def bullets(title: str, sentences: Iterable[str]) -> str:
    """Return sentences as a list, under a title if there is one; nothing without sentences."""
    items = "".join(f"<li>{_whole(sentence)}</li>" for sentence in sentences)
    above = f"<h3>{escape(title)}</h3>" if title else ""
    return f"{above}<ul>{items}</ul>" if items else ""


def fold(title: str, inside: str) -> str:
    """Return markup of this module that opens on a click; nothing if there is none."""
    return f"<details><summary>{escape(title)}</summary>{inside}</details>" if inside else ""


def row(*parts: ipywidgets.Widget) -> ipywidgets.HBox:
    """Return widgets side by side, below each other where the screen is narrow."""
    for part in parts:
        if isinstance(part, Text | Slider):
            part.layout.flex = "1 1 380px"  # as wide as there is room beside a chart
    return ipywidgets.HBox(parts, layout=ipywidgets.Layout(flex_flow="row wrap"))


def message(sentences: Sequence[str], kind: str = "", more: Sequence[str] = ()) -> str:
    """Return sentences in a box that screen readers announce.

    Parameters
    ----------
    sentences : sequence of str
        None: no box.
    kind : {"", "warn", "stop"}
        Information, a warning, or the reason why there is no result.
    more : sequence of str
        What the last of them opens on a click.
    """
    if not sentences:
        return ""
    role = ' role="alert"' if kind == "stop" else ""
    lines = [f"<p>{_whole(sentence)}</p>" for sentence in sentences]
    if more:
        inside = "".join(f"<p>{_whole(sentence)}</p>" for sentence in more)
        lines[-1] = f"<details><summary>{_whole(sentences[-1])}</summary>{inside}</details>"
    return f'<div class="kc-say kc-{kind or "note"}"{role}>{"".join(lines)}</div>'


def table(lines: Sequence[Sequence[str]], label: str, note: str = "", kind: str = "figures") -> str:
    """Return a table; the first line is its head, the first column names the rows.

    Parameters
    ----------
    lines : sequence of sequence of str
    label : str
        For screen readers.
    note : str
        What stands over it, such as the unit.
    kind : {"figures", "words"}
        What the other columns hold.
    """
    styles = [_STYLES[_is_text(column)] for column in zip(*lines[1:], strict=True)] or [""] * len(
        lines[0]
    )
    head = "".join(
        f'<th scope="col"{style}>{_whole(cell)}</th>'
        for cell, style in zip(lines[0], styles, strict=True)
    )
    rows = "".join(
        f'<tr><th scope="row">{_whole(line[0])}</th>'
        + "".join(
            f"<td{style}>{_whole(cell)}</td>"
            for cell, style in zip(line[1:], styles[1:], strict=True)
        )
        + "</tr>"
        for line in lines[1:]
    )
    caption = f"<caption>{escape(note)}</caption>" if note else ""
    inside = f"{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    name = escape(label, quote=True)
    whole = f'<table aria-label="{name}">{inside}</table>'
    named = f'role="region" aria-label="{name}" tabindex="0"'  # it is scrolled by keys
    return f'<div class="kc-frame kc-{kind}" {named}>{whole}</div>'


_STYLES = {True: ' class="kc-text"', False: ""}
_FIGURE = re.compile(r"[+− ]*\d[\d.,– ]*%?|–|")


def _is_text(column: Sequence[str]) -> bool:
    """Return whether a column holds words; those stand to the left."""
    return not all(_FIGURE.fullmatch(cell) for cell in column)


_SHARE = re.compile(r"\S+ %\S*")


def _whole(text: str) -> str:
    """Return a text as markup in which no share is parted from its sign at the end of a line."""
    return _SHARE.sub(lambda found: f'<span class="kc-whole">{found[0]}</span>', escape(text))


def download(name: str, data: bytes, label: str) -> str:
    """Return a link that saves a small file out of the page itself."""
    content = base64.b64encode(data).decode("ascii")
    link = f"data:application/octet-stream;base64,{content}"
    return f'<p><a href="{link}" download="{escape(name, quote=True)}">{escape(label)}</a></p>'
