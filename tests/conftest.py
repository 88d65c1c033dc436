"""Loads the repository's root as the package `pchmr`, whatever the checkout's folder is called.

Blender does the same with the installed extension, as `bl_ext.user_default.pchmr`. So `import pchmr.pchmr_blender…`
and, for what the add-on takes from the backend, `import pchmr.inference_backend…` work in every test. The latter are
other modules than `inference_backend…`: to catch an error that the add-on raises, name pchmr's.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def load_root() -> None:
    """Import the root's `__init__.py` under its fixed name, once."""
    if "pchmr" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location("pchmr", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pchmr"] = module
    spec.loader.exec_module(module)


load_root()
