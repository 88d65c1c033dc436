"""Panels are drawn, and operators polled, with every move of the mouse: neither looks at the disk, waits, or starts
anything. A folder on a server that is asleep would hold Blender for half a minute.
"""

from __future__ import annotations

import builtins
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import pytest

from inference_backend.take_info import JSON_NAME
from pchmr.inference_backend.errors import KINDS
from pchmr.pchmr_blender import registration, session
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.problems import Problem
from pchmr.pchmr_blender.scene.handles import find_part
from pchmr.pchmr_blender.scene.take_paths import mend_paths

from .scenes import bring
from .takes import make_take
from .test_registration import drawn

PANELS = [cls for cls in registration.CLASSES if issubclass(cls, bpy.types.Panel)]
"""Not menus: they are drawn when they are opened, and list the presets that are on the disk then, as Blender's do."""
OPERATORS = [cls for cls in registration.CLASSES if issubclass(cls, bpy.types.Operator)]

SLOW = (
    *((os, name) for name in ("stat", "lstat", "access", "open", "listdir", "scandir", "readlink", "mkdir", "remove")),
    *((os.path, name) for name in ("exists", "isfile", "isdir", "realpath", "getsize", "getmtime", "samefile")),
    (builtins, "open"),
    (subprocess, "Popen"),
    (threading.Thread, "start"),
    (time, "sleep"),
)
"""What may take long, or lasts."""


@contextmanager
def only_reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails where the block looks at the disk, waits, or starts something."""

    def refused(name: str) -> Any:
        def refuse(*values: Any, **_: Any) -> None:
            pytest.fail(f"{name}{values[:1]}")

        return refuse

    with monkeypatch.context() as patches:
        for owner, name in SLOW:
            patches.setattr(owner, name, refused(name))
        yield


def draw_all() -> None:
    for cls in PANELS:
        drawn(cls)


def poll_all() -> None:
    for cls in OPERATORS:
        getattr(bpy.ops.pchmr, cls.bl_idname.partition(".")[2]).poll()


@pytest.fixture(params=[*(form.value for form in Form), "lost"])
def person(request: pytest.FixtureRequest, extension: ModuleType, tmp_path: Path) -> bpy.types.Collection:
    """In each form, and one whose take is gone."""
    folder = make_take(tmp_path / "walk.take", people=2)
    first, _ = bring(folder, form=Form.COMPRESSED if request.param == "lost" else Form(request.param))
    if request.param == "lost":
        (folder / JSON_NAME).unlink()
        mend_paths(first)
        assert first.pchmr.problem
    return first


def test_the_guard_sees_what_it_is_to_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for look in (tmp_path.is_dir, tmp_path.resolve, lambda: list(tmp_path.iterdir()), (tmp_path / "x").touch):
        with pytest.raises(pytest.fail.Exception), only_reading(monkeypatch):
            look()


@pytest.mark.parametrize("part", ["BODY", "SKELETON", "TARGETS", "CAMERA"])
def test_with_a_take_in_the_scene(person: bpy.types.Collection, part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bpy.context.view_layer.objects.active = find_part(person, part)
    with only_reading(monkeypatch):
        draw_all()
        poll_all()


def test_in_an_empty_scene(extension: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with only_reading(monkeypatch):
        draw_all()
        poll_all()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_with_a_problem(kind: str, extension: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = bpy.context.scene.pchmr
    own.clip, own.out = str(tmp_path / "walk.mp4"), str(tmp_path)
    take = tmp_path / "walk.take"
    problem = Problem(kind, "wrong", "do this", "a\nb", "/x.log", path=str(take / JSON_NAME), take=str(take))
    monkeypatch.setattr(session.current, "problem", problem)
    with only_reading(monkeypatch):
        draw_all()
        poll_all()


def test_while_something_is_under_way(extension: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    status = SimpleNamespace(stage="Finding people", fraction=0.25, seconds_left=75.0, detail="3 of 12")
    activity = SimpleNamespace(title="Reconstructing", status=lambda: status, cancelling=False)
    monkeypatch.setattr(session.current, "activity", activity)
    with only_reading(monkeypatch):
        draw_all()
        poll_all()
