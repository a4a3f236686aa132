"""What a plan costs against another: between goals, with more or less money, change by change."""

from __future__ import annotations

from kc_model.tradeoffs.bridge import Bridge
from kc_model.tradeoffs.comparison import Comparison, compare
from kc_model.tradeoffs.curves import Frontier, Sweep, frontier, sweep
from kc_model.tradeoffs.orders import Preset, PresetComparison, compare_presets, presets
from kc_model.tradeoffs.saving import least_money
from kc_model.tradeoffs.seeking import Sought, seek
from kc_model.tradeoffs.spread import Alternatives, alternatives

__all__ = [
    "Alternatives",
    "Bridge",
    "Comparison",
    "Frontier",
    "Preset",
    "PresetComparison",
    "Sought",
    "Sweep",
    "alternatives",
    "compare",
    "compare_presets",
    "frontier",
    "least_money",
    "presets",
    "seek",
    "sweep",
]
