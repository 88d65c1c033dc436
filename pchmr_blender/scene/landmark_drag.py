# SPDX-License-Identifier: GPL-3.0-or-later
"""A landmark under the mouse, and one that is dragged: what the overlay shows of it, and where it comes to lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.landmarks import moved_along, nearest_landmark
from ..core.lens import Pinhole
from ..core.picture_overlay import picture_points, region_points
from .corrections import Shown, shown_at
from .handles import Handle, part_of, resolve

REACH: Final = 22.0
"""Pixels of a display of usual density within which the mouse means a landmark."""


@dataclass(frozen=True, eq=False)
class Pointed:
    """What the overlay is to show of the mouse."""

    person: str
    """Whose landmark, by uuid."""
    landmark: int
    """Of `skeletons.LANDMARKS`."""
    places: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)
    """While it is dragged: where it and what goes along with it are, pixels of the upright picture."""


@dataclass
class Mouse:
    """The one of this Blender is `mouse`."""

    at_work: bool = False
    """Whether landmarks may be dragged: one operator at a time sees to that."""
    pointed: Pointed | None = None
    """What it points at meanwhile."""


mouse: Final = Mouse()
"""Only a running `pchmr.correct_detections` writes it; the overlay reads it."""


class LandmarkDrag:
    """What the mouse does to one person's landmarks, in one 3D view."""

    def __init__(self, handle: Handle, area: bpy.types.Area) -> None:
        """Begin. `area`: of the view."""
        self._handle = handle
        self._area = area.as_pointer()
        self._under: Shown | None = None  # what the mouse was over last
        self._shown: Shown | None = None  # the same, while a landmark is held
        self._landmark = 0
        mouse.at_work = True

    @property
    def holding(self) -> bool:
        """Whether a landmark is held."""
        return self._shown is not None

    def person(self) -> bpy.types.Collection:
        """Whose landmarks. Raises SceneChanged where they are gone."""
        return resolve(self._handle)

    def move(self, context: bpy.types.Context, at: tuple[int, int]) -> None:
        """The mouse is at a place in the window's pixels."""
        region, space = self._view(context)
        if region is None:
            self._point(context, None)
            return
        place = np.array([at[0] - region.x, at[1] - region.y], np.float64)
        lens = view_lens(part_of(self.person(), "CAMERA"), space.region_3d.perspective_matrix, region)
        if self._shown is not None:
            to = picture_points(place[None], *lens)[0]
            places = moved_along(self._shown.places, self._landmark, to, self._shown.corrected)
            self._point(context, Pointed(self._handle.uuid, self._landmark, places))
            return
        shown = shown_at(self.person(), context.scene.frame_current_final)
        found = None
        if shown is not None and self._over_picture(context, at):
            reach = REACH * context.preferences.system.ui_scale
            found = nearest_landmark(region_points(shown.places, *lens), place, reach)
        self._point(context, None if found is None else Pointed(self._handle.uuid, found))
        self._under = shown

    def take_hold(self) -> bool:
        """Hold the landmark under the mouse; whether there is one."""
        if mouse.pointed is None:
            return False
        self._landmark, self._shown = mouse.pointed.landmark, self._under
        return self.holding

    def put_down(self) -> tuple[int, int, Mapping[int, NDArray[np.float64]]]:
        """Let go: the row, the landmark, and where it and what goes along are now; nothing where it was not moved."""
        shown, pointed = self._shown, mouse.pointed
        assert shown is not None
        self._shown = None
        return shown.row, self._landmark, {} if pointed is None else pointed.places

    def let_go(self) -> bool:
        """Forget the drag; whether there was one."""
        held, self._shown = self.holding, None
        mouse.pointed = None
        redraw_views()
        return held

    def end(self) -> None:
        """The mouse means nothing any more."""
        self.let_go()
        mouse.at_work = False

    def _area_now(self, context: bpy.types.Context) -> bpy.types.Area | None:
        return next((one for one in context.screen.areas if one.as_pointer() == self._area), None)

    def _view(self, context: bpy.types.Context) -> tuple[Any, Any]:
        """The view's region and space; None where it is gone, or looks elsewhere by now."""
        area = self._area_now(context)
        if area is None or area.type != "VIEW_3D" or area.spaces.active.region_3d.view_perspective != "CAMERA":
            return None, None
        return next(one for one in area.regions if one.type == "WINDOW"), area.spaces.active

    def _over_picture(self, context: bpy.types.Context, at: tuple[int, int]) -> bool:
        """Whether a place of the window is the view's own: sidebar, toolbar and header may lie over it."""
        area = self._area_now(context)
        under = {one.type for one in area.regions if one.width > 1 and _holds(one, at)} if area else set()
        return under == {"WINDOW"}

    def _point(self, context: bpy.types.Context, pointed: Pointed | None) -> None:
        if pointed is not None or mouse.pointed is not None:
            redraw_views()
        mouse.pointed = pointed


def _holds(region: bpy.types.Region, at: tuple[int, int]) -> bool:
    return 0 <= at[0] - region.x < region.width and 0 <= at[1] - region.y < region.height


def view_lens(
    camera: bpy.types.Object, perspective: Any, region: bpy.types.Region
) -> tuple[Pinhole, NDArray[np.float64], NDArray[np.float64], int, int]:
    """How a region shows the picture: what `region_points` and `picture_points` take."""
    width, height, *lens = camera.pchmr.pinhole
    pinhole = Pinhole(round(width), round(height), *lens)
    return pinhole, np.array(camera.matrix_world), np.array(perspective), region.width, region.height


def redraw_views() -> None:
    """Let all 3D views be drawn again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
