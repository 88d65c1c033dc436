"""The backend's import law, read from the source and, for the default path, from a running process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .modules import ADDON, BACKEND, BLENDER, ROOT, SOURCES, foreign, imports, reached

MODULES = [name for name in SOURCES if name.partition(".")[0] == BACKEND]
STREAMS = ("estimators", "lifters", "generators")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import os.path as p", {"os.path"}),
        ("from ..errors import X", {"inference_backend.errors"}),
        ("from .. import weights", {"inference_backend.weights"}),
        ("from . import options", {"inference_backend.cli.options"}),
        ("def f():\n  import torch", set()),
        ("if TYPE_CHECKING:\n  import torch\nelse:\n  import numpy", {"numpy"}),
        ("try:\n  import smplx\nexcept ImportError:\n  pass", {"smplx"}),
    ],
)
def test_reading_of_imports(text: str, found: set[str]) -> None:
    assert imports("inference_backend.cli.render", at_run=True, text=text) == found


def test_functions_count_where_they_are_asked_for() -> None:
    assert imports("inference_backend.x", text="def f():\n  import torch") == {"torch"}


@pytest.mark.parametrize("name", MODULES)
def test_backend_knows_no_blender(name: str) -> None:
    assert not {one.partition(".")[0] for one in imports(name)} & {*BLENDER, ADDON}


@pytest.mark.parametrize("stream", STREAMS)
def test_streams_know_nothing_of_each_other(stream: str) -> None:
    own = {name for name in MODULES if name.startswith(f"{BACKEND}.{stream}")}
    assert own
    others = tuple(f"{BACKEND}.{other}" for other in STREAMS if other != stream)
    assert not sorted(name for name in reached(own, at_run=False) if name.startswith(others))


def test_what_the_streams_share_knows_neither_pipeline_nor_training() -> None:
    own = {name for name in MODULES if name.split(".")[1:2] and name.split(".")[1] in STREAMS}
    above = tuple(f"{BACKEND}.{name}" for name in ("pipeline", "stages", "solve", "training", "evaluation", "cli"))
    assert not sorted(name for name in reached(own, at_run=False) if name.startswith(above))


@pytest.mark.parametrize("start", ["pipeline", "render", "__main__"])
def test_default_path_knows_no_smplx(start: str) -> None:
    at_run = start == "__main__"  # its commands import what they need, benches smplx among it
    assert "smplx" not in foreign(reached({f"{BACKEND}.{start}"}, at_run=at_run))


def test_command_line_starts_on_python_alone() -> None:
    assert foreign(reached({f"{BACKEND}.__main__"}, at_run=True)) == set()


def test_reading_a_take_needs_numpy_only() -> None:
    assert foreign(reached({f"{BACKEND}.take"}, at_run=False)) == {"numpy"}


def test_running_default_path_loads_nothing_else() -> None:
    code = "import sys, inference_backend.pipeline, inference_backend.render; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "torch" in loaded
    assert not loaded & ({*BLENDER, ADDON} | {"smplx", "chumpy", "anny", "mediapipe", "tensorflow", "jax"})
