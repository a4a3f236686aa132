"""The fewest transfers that turn what is given into what is taken."""

from __future__ import annotations

from collections.abc import Collection, Sequence

__all__ = ["fewest_pairs"]

_MOST = 12  # amounts left after equal ones are paired, up to which no fewer transfers exist

Pair = tuple[int, int, int]


def fewest_pairs(
    amounts: Sequence[int],
    apart: Collection[tuple[int, int]] = (),
    kin: Sequence[str] = (),
) -> list[Pair]:
    """Return transfers (giver, taker, amount) that settle amounts adding up to zero.

    Parameters
    ----------
    amounts : sequence of int
        Below zero for what gives. Among equals the earlier one goes first.
    apart : collection of (giver, taker)
        Pairs that are not made if others can settle the amounts, though with more transfers.
    kin : sequence of str, like `amounts` or empty
        Among equals a taker of the giver's own (a project that several places share) goes first.

    Returns
    -------
    list of tuple
        As few as there can be, unless more than twelve amounts are left when every giver whose
        whole amount a taker takes has been paired with it, or pairs are apart: then at most one
        less than there are.

    Notes
    -----
    n amounts adding up to zero take n − 1 transfers, and one less for every further group of them
    that adds up to zero by itself: the most such groups are sought over all subsets. An equal
    pair is such a group in one of the best partitions.
    """
    open_ = [i for i, amount in enumerate(amounts) if amount]
    kin = kin or [""] * len(amounts)
    found = _equal([i for i in open_ if kin[i]], amounts, kin)
    paired = {i for pair in found for i in pair[:2]}
    found += _equal([i for i in open_ if i not in paired], amounts, [""] * len(amounts))
    paired = {i for pair in found for i in pair[:2]}
    rest = [i for i in open_ if i not in paired]
    for group in _groups([amounts[i] for i in rest]) if len(rest) <= _MOST else [range(len(rest))]:
        found.extend(_settled({rest[k]: amounts[rest[k]] for k in group}))
    if any(pair[:2] in apart for pair in found):
        return _settled({i: amounts[i] for i in open_}, apart)
    return found


def _equal(open_: Sequence[int], amounts: Sequence[int], kin: Sequence[str]) -> list[Pair]:
    """Return transfers from givers to takers of the whole amount, who are alike."""
    found: list[Pair] = []
    takers: dict[tuple[int, str], list[int]] = {}
    for i in reversed(open_):
        if amounts[i] > 0:
            takers.setdefault((amounts[i], kin[i]), []).append(i)
    for i in open_:
        if amounts[i] < 0 and takers.get((-amounts[i], kin[i])):
            found.append((i, takers[-amounts[i], kin[i]].pop(), -amounts[i]))
    return found


def _groups(amounts: Sequence[int]) -> list[list[int]]:
    """Return the most groups that add up to zero each, over all subsets."""
    if not amounts:
        return []
    full = (1 << len(amounts)) - 1
    sums, most, last = [0] * (full + 1), [0] * (full + 1), [0] * (full + 1)
    for some in range(1, full + 1):
        low = (some & -some).bit_length() - 1
        sums[some] = sums[some & (some - 1)] + amounts[low]
        parts = [some ^ (1 << k) for k in range(len(amounts)) if some >> k & 1]
        last[some] = max(parts, key=most.__getitem__)
        most[some] = most[last[some]] + (sums[some] == 0)
    groups: list[list[int]] = [[]]
    while full:
        if sums[full] == 0:
            groups.append([])
        groups[-1].append((full ^ last[full]).bit_length() - 1)
        full = last[full]
    return [sorted(group) for group in groups if group]


def _settled(left: dict[int, int], apart: Collection[tuple[int, int]] = ()) -> list[Pair]:
    """Settle one group, the largest first: every transfer ends a giver or a taker.

    Who has to stay apart from somebody goes before the others, while there is a choice.
    """
    found = []
    held = {i for pair in apart for i in pair}
    while any(left.values()):
        giver = min(left, key=lambda i: (left[i] >= 0, i not in held, left[i]))
        takers = [i for i, amount in left.items() if amount > 0]
        free = [i for i in takers if (giver, i) not in apart]
        taker = max(free or takers, key=lambda i: (i in held, left[i]))
        amount = min(-left[giver], left[taker])
        found.append((giver, taker, amount))
        left[giver] += amount
        left[taker] -= amount
    return found
