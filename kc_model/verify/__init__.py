"""A plan proven from its exported files alone: nothing here solves, nothing here needs a solver."""

from __future__ import annotations

from kc_model.verify.checks import Check, Verification, verify
from kc_model.verify.proof import Multipliers, proof_of

__all__ = ["Check", "Multipliers", "Verification", "proof_of", "verify"]
