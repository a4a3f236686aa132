"""What a forecast and an allocation give back: frozen, and true to their own totals."""

from __future__ import annotations

from kc_model.results.allocation import ALLOCATION_FILES, Allocation
from kc_model.results.forecast import FORECAST_FILES, Forecast
from kc_model.results.provenance import VERSION, Provenance, versions_of

__all__ = [
    "ALLOCATION_FILES",
    "FORECAST_FILES",
    "VERSION",
    "Allocation",
    "Forecast",
    "Provenance",
    "versions_of",
]
