"""What the benches share: a table of figures and their marks, made-up takes as footage is, stages, clocks, sizes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import tests.conftest  # noqa: E402, F401  loads the root as `pchmr`
from pchmr.pchmr_blender.core.takes import TakeView  # noqa: E402
from pchmr.pchmr_blender.core.timing import Placing  # noqa: E402
from tests.blender.bodies import shipped  # noqa: E402
from tests.blender.parts import create_body, create_skeleton  # noqa: E402
from tests.blender.takes import make_take  # noqa: E402

PLACING = Placing(fps=30.0, start=1.0)
_KINDS = 70


@dataclass(frozen=True)
class Row:
    """A figure and its mark."""

    what: str
    found: str
    mark: str = ""
    passed: bool | None = None
    """None where the mark is not meant for it."""


class FirstRows:
    """A person's first frames."""

    def __init__(self, person: Any, count: int) -> None:
        self._person, self.frame_count = person, count
        for name in ("seconds", "frames", "rotations", "joints", "joints_target"):
            setattr(self, name, getattr(person, name)[:count])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._person, name)

    def vertices(self, start: int, stop: int) -> np.ndarray:
        return self._person.vertices(start, min(stop, self.frame_count))


def bulging_take(folder: Path, frames: int) -> Path:
    """A take of the shipped body whose bulges need about as many corrective keys as footage of that length does."""
    make_take(folder, body=shipped(), frames=frames)
    vertices = np.load(folder / "person_0" / "vertices.npy", mmap_mode="r+")
    random = np.random.default_rng(0)
    shapes = random.normal(scale=0.001, size=(_KINDS, vertices[0].size)).astype(np.float32)
    rates = random.uniform(0.02, 0.5, _KINDS)
    for start in range(0, frames, 64):
        rows = vertices[start : start + 64]
        amounts = np.sin(np.arange(start, start + len(rows))[:, None] * rates).astype(np.float32)
        rows += (amounts @ shapes).reshape(rows.shape)
    vertices.flush()
    return folder


def stage(view: TakeView, person: Any) -> tuple[bpy.types.Object, bpy.types.Object]:
    """An empty file with a skeleton and a body in it; returns body and skeleton."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    collection = bpy.data.collections.new("Clip")
    bpy.context.scene.collection.children.link(collection)
    skeleton = create_skeleton(person, PLACING, collection, "Clip")
    return create_body(person, view.topology, collection, "Clip"), skeleton


def seconds_of(work: Callable[[], Any]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def saved(folder: Path) -> int:
    """Bytes of the .blend as it is now."""
    path = folder / "size.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=False, copy=True)
    return path.stat().st_size


def show(rows: Iterable[Row]) -> int:
    """Print the table; returns how many figures miss their mark."""
    failed = 0
    for row in rows:
        verdict = {None: "", True: "ok", False: "MISSED"}[row.passed]
        print(f"{row.what:<64} {row.found:<80} {row.mark:<9} {verdict}", flush=True)
        failed += row.passed is False
    return failed
