"""`python -m inference_backend`."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":  # worker processes import this module too, under another name
    sys.exit(main())
