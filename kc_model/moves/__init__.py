"""Moves: what a plan takes from one place or project and gives to another, and who decides each.

A plan against the plan in force is a list of moves, each within one purse, from giver to taker, no
đồng lost on the way. A move can be refused: the scenario then holds what it would have moved, and
the rest is solved again.
"""

from __future__ import annotations

from kc_model.moves.decisions import CHANGES, RANKS, Decision, who_decides
from kc_model.moves.form import adjusted, unmoved
from kc_model.moves.listing import changed, find_moves, moves, pair_of, transfers
from kc_model.moves.refusal import refuse

__all__ = [
    "CHANGES",
    "RANKS",
    "Decision",
    "adjusted",
    "changed",
    "find_moves",
    "moves",
    "pair_of",
    "refuse",
    "transfers",
    "unmoved",
    "who_decides",
]
