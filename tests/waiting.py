"""Waiting for what other threads bring about."""

from __future__ import annotations

import time


def until(condition, patience=20.0):
    """Wait for something that other threads bring about."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
