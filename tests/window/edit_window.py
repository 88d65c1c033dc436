"""What is shared inside the window by what works on a person: the parts; for edits of the target pose also the take
/out/work/walk.take, the mode, the mouse."""

from __future__ import annotations

import sys
from types import ModuleType

import bpy
import drive
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d

PACKAGE = "bl_ext.user_default.pchmr"
TAKE = "/out/work/walk.take"
FRAME = 10


def module(name: str) -> ModuleType:
    return sys.modules[f"{PACKAGE}.pchmr_blender.{name}"]


def idle() -> bool:
    return module("session").current.activity is None


def quiet() -> None:
    """No problem stands in the panel."""
    problem = module("session").current.problem
    assert problem is None, f"{problem.kind}: {problem.message} {problem.hint} {problem.output}"


def person() -> bpy.types.Collection:
    return next(collection for collection in bpy.data.collections if collection.pchmr.uuid)


def part(kind: str) -> bpy.types.Object:
    return next(item for item in person().objects if item.pchmr.part == kind)


def body_of() -> bpy.types.Object:
    return part("BODY")


def preview() -> bpy.types.Object | None:
    return next((item for item in bpy.data.objects if item.pchmr.part == "PREVIEW"), None)


def control(name: str) -> bpy.types.PoseBone:
    return part("TARGETS").pose.bones[name]


def vertices(item: bpy.types.Object) -> np.ndarray:
    """The evaluated mesh. Shape: (N, 3)."""
    mesh = item.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    points = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.attributes["position"].data.foreach_get("vector", points)
    return points.reshape(-1, 3)


def bring(form: str) -> drive.Steps:
    """An empty file with the take, at `FRAME`, the view on the body."""
    bpy.ops.wm.read_homefile(use_empty=True)
    yield 1.0
    yield from drive.open_tab("PC-HMR")
    bpy.context.scene.pchmr.form = form
    assert bpy.ops.pchmr.import_take("INVOKE_DEFAULT", directory=TAKE) == {"FINISHED"}
    yield from drive.wait(idle, 200, "the import")
    quiet()
    bpy.context.scene.frame_set(FRAME)
    for item in bpy.context.scene.objects:
        item.select_set(item == body_of())
    bpy.context.view_layer.objects.active = body_of()
    area, region = drive.view3d()
    with bpy.context.temp_override(window=drive.window(), area=area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()
    area.spaces.active.region_3d.view_distance *= 1.4  # the sidebar covers a part
    yield 0.5


def enter() -> drive.Steps:
    """By the panel's button, as it may stand below the region's edge: by its operator."""
    area, region = drive.view3d()
    with bpy.context.temp_override(window=drive.window(), area=area, region=region):
        assert bpy.ops.pchmr.edit_pose("INVOKE_DEFAULT") == {"FINISHED"}
    yield 0.5
    quiet()
    assert module("live.mode").current() is not None


def select(*names: str) -> None:
    """Some controls, the last one active; an undo step."""
    targets = part("TARGETS")
    for bone in targets.pose.bones:
        module("scene.versions").select_bone(bone, bone.name in names)
    targets.data.bones.active = targets.data.bones[names[-1]]
    bpy.ops.ed.undo_push(message="Select")


def place_of(name: str) -> drive.Place:
    """Where a control is in the window."""
    area, region = drive.view3d()
    at = location_3d_to_region_2d(region, area.spaces.active.region_3d, control(name).matrix.translation)
    return region.x + at.x, region.y + at.y
