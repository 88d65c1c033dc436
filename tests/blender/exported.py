"""What tests of exports share: a take whose body no skinning makes, its files, and questions about what comes back."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.core.skeleton import BONE_NAMES
from pchmr.pchmr_blender.core.takes import PersonView, open_view
from pchmr.pchmr_blender.scene.exports import ExportOptions, Format, available, export

from .scenes import bring
from .takes import make_take

F, FPS = 8, 30 / 1.001
TOLERANCE = 6e-4
"""Metres: the forms' 0.1 mm, half a millimetre that Blender's own skeleton may be off, and single precision."""


def swelling_take(tmp_path: Path) -> Path:
    """A take whose body also swells as no skinning does, at 29.97 frames per second."""
    folder = make_take(tmp_path / "Läufe 1" / "walk.take", frames=F, fps=FPS)
    vertices = np.load(folder / "person_0" / "vertices.npy", mmap_mode="r+")
    swing = np.sin(np.arange(F))[:, None, None]
    vertices += 0.03 * swing * np.sin(7 * np.arange(vertices.shape[1]))[:, None] * (1.0, 0.3, 0.5)
    vertices.flush()
    return folder


def person_of(folder: Path) -> PersonView:
    """The take's one person."""
    return open_view(folder).people[0]


def require(file_format: Format) -> None:
    """Skip where this Blender cannot write the format."""
    reason = available(file_format)
    if reason is not None:
        pytest.skip(reason)


def written(folder: Path, file_format: Format, form: Form = Form.COMPRESSED, **options) -> Path:
    """Import the take, export it, and give the file."""
    (collection,) = bring(folder, form=form, tolerance_mm=0.1)
    path = folder.parent / "Ausgabe ü" / f"walk.{file_format.value}"
    export(collection, path, file_format, ExportOptions(**options))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    return path


def largest_distance(points: np.ndarray, others: np.ndarray) -> float:
    """How far any point of one set is from the nearest of the other, both ways."""
    between = np.linalg.norm(points[:, None] - others[None], axis=-1)
    return float(max(between.min(0).max(), between.min(1).max()))


def heads(skeleton: bpy.types.Object, frame: int) -> np.ndarray:
    """(24, 3) the bones' heads in the world."""
    bpy.context.scene.frame_set(frame)
    evaluated = skeleton.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ evaluated.pose.bones[name].head for name in BONE_NAMES])


def imported(kind: str) -> bpy.types.Object:
    """The one object of a kind in the scene."""
    (found,) = [item for item in bpy.context.scene.objects if item.type == kind]
    return found


def empty_scene() -> bpy.types.Scene:
    """Everything goes but our registered classes; the take's rate."""
    bpy.data.batch_remove([*bpy.data.objects, *bpy.data.collections, *bpy.data.actions, *bpy.data.meshes])
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 30, 1.001
    return scene
