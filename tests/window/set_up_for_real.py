"""Set Up Backend in a real Blender's window, with real downloads: `make test-setup`. Pictures: out/window/setup_*.

Half a gigabyte and some minutes each, so it is not part of `make test`; where the package index cannot be reached it is
skipped with the reason.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from . import index_settings
from .conftest import CLIP, HERE, HIGH, install_alone, log, make_root


@pytest.mark.parametrize("suite", ["trixie", "sid"])
def test_set_up_cancel_again_check_use_remove(suite: str, archive: Path) -> None:
    settings = index_settings.variables()
    if trouble := index_settings.trouble(settings):
        pytest.skip(trouble)
    window = install_alone(make_root(suite), archive, f"setup_{suite}")
    (window.out / "work").mkdir()
    shutil.copyfile(CLIP, window.out / "work" / "demo clip.mp4")
    window = replace(
        window,
        network=True,
        size=HIGH,
        binds=[*window.binds, *index_settings.binds(settings)],
        env={**settings, **window.env, "NETWORK": "yes"},
    )
    status = window.run(HERE / "inside_setup.py", limit=1500)
    assert status == 0, log(window, "inside_setup")
    assert "Traceback" not in log(window, "inside_setup")
