"""The add-on's import law: which folders know Blender, what they take from the backend, and how they name it.

Blender gives the root package its name, so everything of ours is imported relatively, what the add-on reaches in the
backend included; and it brings numpy and the standard library only.
"""

from __future__ import annotations

import ast

import pytest

from .modules import ADDON, BACKEND, BLENDER, ROOT, SOURCES, foreign, imports, reached, statements

MODULES = [name for name in SOURCES if name.partition(".")[0] == ADDON]
LICENCE = "# SPDX-License-Identifier: GPL-3.0-or-later\n"
WITH_BLENDER = (
    "scene",
    "live",
    "operators",
    "ui",
    "registration",
    "preferences",
    "session",
    "edit_script",
    "recalibration",
    "sync",
    "headless",
    "batch",
)
"""What of the add-on may import Blender's modules."""
FROM_BACKEND = {
    "", "errors", "protocol", "progress", "skeletons", "take", "take_format", "take_info",
    "disk", "folder_lock", "footage_files", "frame_rates", "numbered_images",
    "targets.edit_values", "targets.parameters", "targets.presets", "targets.quaternions", "corrections",
    "suspect_threshold",
}  # fmt: skip
"""What of the backend the add-on may import: its version, the contract, what both do with files, and what the .blend
owns: the clean-up's parameters, and corrected detections, which it shows as the backend takes them; rotations.
"""
BELOW = {
    "core": ("backend", *WITH_BLENDER),
    "backend": WITH_BLENDER,
    "scene": ("live", "operators", "ui", "registration", "headless", "batch"),
    "live": ("ui", "registration", "headless", "batch"),
    "operators": ("ui", "registration", "headless", "batch"),
    "ui": ("registration", "headless", "batch"),
}
"""Folder → what it may not know."""


def part(name: str) -> str:
    """The folder, or the module, right below the package."""
    return (*name.split("."), "")[1]


def absolute(name: str) -> set[str]:
    """Our own packages that a module imports by an absolute name."""
    found = set()
    for node in statements(ast.parse(SOURCES[name].read_text("utf-8")), at_run=False):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.partition(".")[0])
    return found & {BACKEND, ADDON, "pchmr"}


USED = {name: {one for one in imports(name) if one.partition(".")[0] == BACKEND} for name in MODULES}
"""What each module of the add-on imports of the backend."""


@pytest.mark.parametrize("name", MODULES)
def test_only_these_folders_know_blender(name: str) -> None:
    if part(name) not in WITH_BLENDER:
        assert not {one.partition(".")[0] for one in imports(name)} & BLENDER


@pytest.mark.parametrize("name", MODULES)
def test_nothing_else_is_needed(name: str) -> None:
    assert not foreign(imports(name)) - BLENDER - {"numpy"}


@pytest.mark.parametrize("name", MODULES)
def test_layers_know_only_what_is_below(name: str) -> None:
    above = BELOW.get(part(name), ())
    assert not sorted(one for one in imports(name) if one.startswith(ADDON + ".") and part(one) in above)


@pytest.mark.parametrize("name", MODULES)
def test_the_backend_is_used_by_its_contract_only(name: str) -> None:
    assert not {one.partition(".")[2] for one in USED[name]} - FROM_BACKEND


def test_what_is_used_of_the_backend_needs_numpy_only() -> None:
    # tomli: where Python is older than 3.11, as the backend's may be and no Blender's is.
    assert foreign(reached(set().union(*USED.values()), at_run=False)) <= {"numpy", "tomli"}


def test_ours_is_named_relatively() -> None:
    used = {one for one in reached(set().union(*USED.values()), at_run=False) if one in SOURCES}
    wrong = {name: absolute(name) for name in sorted({*MODULES, *used})}
    assert not {name: found for name, found in wrong.items() if found}


def test_the_entry_imports_nothing_before_blender_asks() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text("utf-8"))
    nodes = statements(tree, at_run=True)
    assert not [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]


def test_every_module_names_its_licence() -> None:
    missing = [name for name in MODULES if not SOURCES[name].read_text("utf-8").startswith(LICENCE)]
    assert not missing
