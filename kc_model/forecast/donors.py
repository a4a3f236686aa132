"""The leg of nearest paths: what years that began alike went on to spend."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kc_model.forecast.credibility import Integers
from kc_model.runoff import Floats, ratio

__all__ = ["LEAST_DONORS", "Starts", "from_donors"]

LEAST_DONORS = 200
"""Finished years of units below which no path has near neighbours."""

_MOST_DONORS = 1000  # the newest; more take time and add nothing
_NEAREST = 25
_UNLIKE = 0.02  # squared distance between units of different area, place or fund
_TENFOLD = 0.05  # distance between units of which one's plan is ten times the other's


class Starts(NamedTuple):
    """How years of units began.

    Parameters
    ----------
    path : array (n, k)
        Share of the exposure spent by each of k moments, the last being now.
    size : array (n,)
        Exposure, in any one money unit, above 0.
    labels : integer array (n, 3)
        Area, place and fund, as numbers.
    """

    path: Floats
    size: Floats
    labels: Integers

    def chosen(self, rows: slice | NDArray[np.bool_]) -> Starts:
        """Return some of them."""
        return Starts(self.path[rows], self.size[rows], self.labels[rows])


def from_donors(unit: Starts, donor: Starts, came: Floats) -> Floats:
    """Return the share of what was left that units spend if they go on like their nearest donors.

    The 25 donors at the smallest distance count, the nearer the more (triangular weights, as in
    nearest-neighbour regression). Squared distance is the sum of squared differences of the paths,
    plus something for another area, place, fund or size.

    Parameters
    ----------
    unit, donor : Starts
        Donors in order of age, the newest last.
    came : array (n_donors,)
        Share of what each donor had left at that moment that it spent by year-end.

    Returns
    -------
    array (n_units,)
        NaN throughout if there are fewer than `LEAST_DONORS` donors.

    References
    ----------
    T. Cover and P. Hart, "Nearest neighbor pattern classification", IEEE Transactions on
    Information Theory 13 (1967), p. 21-27.
    """
    if len(came) < LEAST_DONORS:
        return np.full(len(unit.size), np.nan)
    donor, came = donor.chosen(slice(-_MOST_DONORS, None)), came[-_MOST_DONORS:]
    kinds = np.vstack([unit.labels, donor.labels]).max(0) + 1
    mine, theirs = _position(unit, kinds), _position(donor, kinds)
    # The squared distance less the unit's own square, which moves none of its donors.
    distance = (theirs**2).sum(1) - 2.0 * (mine @ theirs.T)
    near = np.argpartition(distance, _NEAREST, axis=1)[:, : _NEAREST + 1]
    far = np.take_along_axis(distance, near, 1) + (mine**2).sum(1)[:, None]
    far = np.maximum(far, 0.0).astype(np.float64)
    weight = np.maximum(1.0 - np.nan_to_num(ratio(far, far.max(1, keepdims=True))), 1e-6)
    return np.asarray((weight * came[near]).sum(1) / weight.sum(1), dtype=np.float64)


def _position(starts: Starts, kinds: Integers) -> NDArray[np.float32]:
    """Return points between which squared distance is as told; single precision is plenty."""
    size = _TENFOLD * np.log10(starts.size)
    marks = [
        np.sqrt(_UNLIKE / 2.0) * np.eye(int(n))[label]
        for n, label in zip(kinds, starts.labels.T, strict=True)
    ]
    return np.column_stack([np.clip(starts.path, -0.2, 1.2), size, *marks]).astype(np.float32)
