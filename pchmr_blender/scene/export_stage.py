# SPDX-License-Identifier: GPL-3.0-or-later
"""A stage for exporters: a scene that holds only what is to be exported, in the window while they run.

Blender's exporters take the window's scene, its frames, its selection and what is visible in it. On a stage of their
own they see neither the artist's other objects nor what is hidden, and whatever they select, activate or play, they do
not do it in the artist's scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import bpy

from ..core.timing import whole_frames
from .actions import curves_of, read_curve

_HIDING: Final = ("hide_viewport", "hide_render", "hide_select")
_UNITS: Final = ("system", "scale_length", "system_rotation", "length_unit")


def key_range(skeleton: bpy.types.Object, scene: bpy.types.Scene) -> tuple[int, int]:
    """First and last scene frame that the skeleton has keys in; the scene's where it has none."""
    keys = [read_curve(curve) for curve in curves_of(skeleton)]
    keys = [frames for frames in keys if len(frames)]
    if not keys:
        return scene.frame_start, scene.frame_end
    return whole_frames(min(frames[0, 0] for frames in keys), max(frames[-1, 0] for frames in keys))


@contextmanager
def stage(
    objects: Sequence[bpy.types.Object], scene: bpy.types.Scene, frames: tuple[int, int], name: str
) -> Iterator[bpy.types.Scene]:
    """A scene of that name with these objects, of the rate and units of `scene`; the context is about it meanwhile.

    Afterwards it is gone, and window, frame and what was hidden are as before.
    """
    window = bpy.context.window or bpy.context.window_manager.windows[0]
    shown, layer = window.scene, window.view_layer.name
    views = _views()
    staged = bpy.data.scenes.new(name)
    hidden = [(item, flag, getattr(item, flag)) for item in objects for flag in _HIDING]
    try:
        _settle(staged, scene, frames)
        for item in objects:
            staged.collection.objects.link(item)
        for item, flag, _ in hidden:
            setattr(item, flag, False)
        with bpy.context.temp_override(window=window):
            window.scene = staged
            yield staged
    finally:
        window.scene = shown
        window.view_layer = shown.view_layers[layer]
        for space, camera, region, perspective in views:
            space.camera, region.view_perspective = camera, perspective
        for item, flag, value in hidden:
            setattr(item, flag, value)
        bpy.data.scenes.remove(staged)
        # The stage has played the shared objects: their values are those of its last frame.
        shown.frame_set(shown.frame_current, subframe=shown.frame_subframe)


def _views() -> list[tuple[bpy.types.SpaceView3D, bpy.types.Object | None, bpy.types.RegionView3D, str]]:
    """Every 3D viewport, its camera, and whether it looks through it: it would not where the scene has no camera."""
    spaces = [
        area.spaces.active
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.type == "VIEW_3D"
    ]
    return [
        (space, space.camera, region, region.view_perspective)
        for space in spaces
        for region in (*space.region_quadviews, space.region_3d)
    ]


def _settle(staged: bpy.types.Scene, scene: bpy.types.Scene, frames: tuple[int, int]) -> None:
    staged.render.fps, staged.render.fps_base = scene.render.fps, scene.render.fps_base
    staged.frame_start, staged.frame_end = frames
    for name in _UNITS:
        setattr(staged.unit_settings, name, getattr(scene.unit_settings, name))
