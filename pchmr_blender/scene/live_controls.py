# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of a person's Targets while they are dragged: what they hold, and where that is. Read at every mouse
move, so in one go and without looking at curves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.edit_rows import EditAxes, EditRows, differing
from ..core.skeleton import BONE_NAMES
from . import versions
from .control_curves import LOCATION, ROTATION, ControlCurves
from .targets import base_name, controls_of

_NEAR = 1e-6
"""Metres, quaternion components: what is less is float32's rounding."""


@dataclass(frozen=True, eq=False)
class Held:
    """What the 24 controls hold, in the axes of their bones."""

    locations: NDArray[np.float64]
    """(24, 3) metres."""
    turns: NDArray[np.float64]
    """(24, 4) w, x, y, z."""
    stretch: NDArray[np.float64]
    """(24,)"""
    strength: NDArray[np.float64]
    """(24,)"""

    def moved(self, before: Held) -> NDArray[np.bool_]:
        """(24,) which controls have another location."""
        return differing(self.locations, before.locations).any(1)

    def turned(self, before: Held) -> NDArray[np.bool_]:
        """(24,) which controls have another rotation."""
        return differing(self.turns, before.turns).any(1)

    def changed(self, before: Held) -> bool:
        """Whether anything is other than it was."""
        rest = differing(self.stretch, before.stretch) | differing(self.strength, before.strength)
        return bool(self.moved(before).any() or self.turned(before).any() or rest.any())

    def edits(self, axes: EditAxes) -> EditRows:
        """As one row of edits."""
        return axes.edits(self.locations[None], self.turns[None], self.stretch[None], self.strength[None])


class LiveControls:
    """Lives within a step: it holds references into Blender's data."""

    def __init__(self, targets: bpy.types.Object) -> None:
        """Raises SceneChanged where a control or its base is gone."""
        self._bones = controls_of(targets)
        self._bases = [targets.pose.bones[base_name(name)] for name in BONE_NAMES]

    def read(self) -> Held:
        """What they hold now."""
        turns = np.array([bone.rotation_quaternion for bone in self._bones], np.float64)
        turns[np.linalg.norm(turns, axis=1) < _NEAR] = 1, 0, 0, 0  # as Blender takes it
        settings = np.array([(bone.pchmr.stretch, bone.pchmr.strength) for bone in self._bones], np.float64)
        locations = np.array([bone.location for bone in self._bones], np.float64)
        return Held(locations, turns, settings[:, 0], settings[:, 1])

    def selected(self) -> NDArray[np.bool_]:
        """(24,)"""
        return np.array([versions.bone_selected(bone) for bone in self._bones])

    def pinned(self) -> tuple[int, ...]:
        """The joints whose controls are pinned."""
        return tuple(joint for joint, bone in enumerate(self._bones) if bone.pchmr.pinned)

    def place(self, joint: int, held: Held, rest: Held) -> NDArray[np.float64]:
        """Where a control is led by what it holds, with the whole body where it is at rest.

        Shape: (3,) metres, world of the take.
        """
        base = np.array(self._bases[joint].matrix, np.float64)
        still = np.array(self._bones[0].bone.matrix_local, np.float64)[:3, :3]
        if joint == 0:
            return np.asarray(base[:3, 3] + still @ held.locations[0])
        return np.asarray(base[:3, 3] + base[:3, :3] @ held.locations[joint] + still @ rest.locations[0])

    def places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where controls and their bases are drawn. Shape: (24, 3) each, metres, world of the take."""
        pairs = zip(self._bones, self._bases, strict=True)
        both = [(control.matrix.translation, base.matrix.translation) for control, base in pairs]
        controls, bases = np.array(both, np.float64).swapaxes(0, 1)
        return controls, bases

    def hold(self, axes: EditAxes, edits: EditRows, joints: Iterable[int]) -> None:
        """Let some controls hold one row's edits, without keys."""
        locations, turns = axes.controls(edits)
        for joint in joints:
            bone = self._bones[joint]
            bone.location, bone.rotation_quaternion = locations[0, joint], turns[0, joint]
            for name, value in (("stretch", edits.stretch[0, joint]), ("strength", edits.strength[0, joint])):
                if abs(getattr(bone.pchmr, name) - value) > _NEAR:
                    setattr(bone.pchmr, name, float(value))


def axes_of(targets: bpy.types.Object) -> EditAxes:
    """The turns between controls and joints, by the controls' rest pose. Raises as `LiveControls`."""
    LiveControls(targets)
    return EditAxes(np.array([targets.data.bones[name].head_local for name in BONE_NAMES]))


def follows_curves(targets: bpy.types.Object, joints: NDArray[np.bool_], held: Held, scene: bpy.types.Scene) -> bool:
    """Whether some controls hold just what their curves say at the scene's frame. Shape: joints (24,)."""
    curves, now = ControlCurves(targets), np.array([scene.frame_current_final])
    for joint in np.flatnonzero(joints):
        bone = BONE_NAMES[joint]
        for channel, values in ((LOCATION, held.locations), (ROTATION, held.turns)):
            if not any(curves.of(bone, channel)):
                if (np.abs(values[joint] - channel.rest) > _NEAR).any():
                    return False
            elif (np.abs(values[joint] - curves.values(bone, channel, now)[0]) > _NEAR).any():
                return False
    return True


def pin_selected(targets: bpy.types.Object) -> int:
    """Pin the selected controls, or let them go where all of them are pinned; how many are pinned now."""
    controls = LiveControls(targets)
    chosen = [targets.pose.bones[BONE_NAMES[joint]] for joint in np.flatnonzero(controls.selected())]
    pin = not all(bone.pchmr.pinned for bone in chosen)
    for bone in chosen:
        bone.pchmr.pinned = pin
    return len(controls.pinned())
