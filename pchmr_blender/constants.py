# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that Blender knows the extension by, and where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import tomllib

PACKAGE: Final = __package__.rpartition(".")[0]
"""The root package, `bl_ext.user_default.pchmr` where the extension is installed: what preferences are kept under."""

ROOT: Final = Path(__file__).resolve().parent.parent
"""The folder of the root package, which holds `inference_backend` and `presets`."""

NAME: Final = "PC-HMR"
"""What people read: title of the tab, first word of reports."""

VERSION: Final[str] = tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))["version"]
"""Of the extension; the backend that comes with it has the same."""
