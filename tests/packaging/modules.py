"""Reading the imports of this project's modules from their source."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BACKEND, ADDON = "inference_backend", "pchmr_blender"
BLENDER = {"bpy", "mathutils", "bmesh", "gpu", "gpu_extras", "blf", "bpy_extras", "addon_utils", "bl_ext", "idprop"}
"""What only exists inside Blender."""


def sources() -> dict[str, Path]:
    """Every module of the backend and of the add-on, by its name inside the root package."""
    found = {}
    for package in (BACKEND, ADDON):
        for path in sorted((ROOT / package).rglob("*.py")):
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
    return {name.partition(".")[0] for name in names} - {BACKEND, ADDON} - set(sys.stdlib_module_names)
