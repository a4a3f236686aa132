"""``python -m kc_model`` is the same as ``kc``."""

from __future__ import annotations

import sys

from kc_model.cli import main

__all__: list[str] = []

sys.exit(main())
