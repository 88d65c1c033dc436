"""The import law: who may know whom, read from the source and, for the default path, from a running process."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "inference_backend"
BLENDER = {"bpy", "bmesh", "mathutils", "bpy_extras", "gpu", "addon_utils", "pchmr_blender"}
STREAMS = ("estimators", "lifters", "generators")


def sources() -> dict[str, Path]:
    """Every module of the backend by its name."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


SOURCES = sources()


def statements(tree: ast.Module, *, at_run: bool) -> Iterator[ast.AST]:
    """All nodes; with `at_run` only what runs when the module is imported."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if at_run and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def imports(name: str, *, at_run: bool = False, text: str | None = None) -> set[str]:
    """Full names of the modules that a module imports; ours as far as they are modules."""
    path = SOURCES.get(name)
    package = name if path is not None and path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    tree = ast.parse(path.read_text("utf-8") if text is None and path is not None else text or "")
    for node in statements(tree, at_run=at_run):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            below = {f"{base}.{alias.name}" for alias in node.names}
            found |= {one if one in SOURCES else base for one in below}
    return found


def reached(start: set[str], *, at_run: bool) -> set[str]:
    """Everything that importing these modules leads to: ours followed, packages above them included."""
    seen: set[str] = set()
    waiting = set(start)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in SOURCES:
            waiting |= imports(name, at_run=at_run)
            waiting |= {name.rpartition(".")[0]} - {""}
    return seen


def foreign(names: set[str]) -> set[str]:
    """The top-level packages among them that are neither ours nor Python's."""
    return {name.partition(".")[0] for name in names} - {PACKAGE} - set(sys.stdlib_module_names)


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


@pytest.mark.parametrize("name", SOURCES)
def test_backend_knows_no_blender(name: str) -> None:
    assert not {one.partition(".")[0] for one in imports(name)} & BLENDER


@pytest.mark.parametrize("stream", STREAMS)
def test_streams_know_nothing_of_each_other(stream: str) -> None:
    own = {name for name in SOURCES if name.startswith(f"{PACKAGE}.{stream}")}
    assert own
    others = tuple(f"{PACKAGE}.{other}" for other in STREAMS if other != stream)
    assert not sorted(name for name in reached(own, at_run=False) if name.startswith(others))


def test_what_the_streams_share_knows_neither_pipeline_nor_training() -> None:
    own = {name for name in SOURCES if name.split(".")[1:2] and name.split(".")[1] in STREAMS}
    above = tuple(f"{PACKAGE}.{name}" for name in ("pipeline", "stages", "solve", "training", "evaluation", "cli"))
    assert not sorted(name for name in reached(own, at_run=False) if name.startswith(above))


@pytest.mark.parametrize("start", ["pipeline", "render", "__main__"])
def test_default_path_knows_no_smplx(start: str) -> None:
    at_run = start == "__main__"  # its commands import what they need, benches smplx among it
    assert "smplx" not in foreign(reached({f"{PACKAGE}.{start}"}, at_run=at_run))


def test_command_line_starts_on_python_alone() -> None:
    assert foreign(reached({f"{PACKAGE}.__main__"}, at_run=True)) == set()


def test_reading_a_take_needs_numpy_only() -> None:
    assert foreign(reached({f"{PACKAGE}.take"}, at_run=False)) == {"numpy"}


def test_running_default_path_loads_nothing_else() -> None:
    code = "import sys, inference_backend.pipeline, inference_backend.render; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "torch" in loaded
    assert not loaded & (BLENDER | {"smplx", "chumpy", "anny", "mediapipe", "tensorflow", "jax"})
