"""A take comes in, in the window of a real Blender, while its user works on. Pictures: out/window."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..blender.bodies import shipped
from ..blender.takes import make_take
from .conftest import HERE, install, log, make_root

FRAMES = 300


@pytest.mark.parametrize("suite", ["trixie", "sid"])
def test_the_user_works_while_a_take_comes_in(suite: str, archive: Path) -> None:
    window = install(make_root(suite), archive, f"import_{suite}")
    make_take(window.out / "work" / "walk.take", body=shipped(), frames=FRAMES)
    status = window.run(HERE / "inside_import.py", limit=1500)
    assert status == 0, log(window, "inside_import")
    assert "Traceback" not in log(window, "inside_import")
