"""Hypothesis strategies that more than one test file draws from."""

from __future__ import annotations
