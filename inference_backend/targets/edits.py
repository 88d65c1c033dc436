"""The artist's edits: the last layer of the stack, row by row, and the drags that make them. Numpy only.

An edit says where a joint should be, from its base place, and how a joint is turned. `apply_edits` finds
the pose that does so with the bones' lengths; `drag` finds the edits of everything that follows a dragged joint.
Edits are absolute: what hangs on an edited joint has edits of its own, so ends of limbs that have none stay where the
base pose has them. Only the pelvis takes all others along.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..skeletons import JOINTS, JOINTS_MIRROR, PARENTS
from . import quaternions
from .chains import CHILDREN, LIMB_TIPS, PELVIS, TURNING, TWISTING
from .dragging import Body
from .edit_values import LARGEST, Drag, Edits, Mode, TargetPose, moves_of, offsets_of, refused
from .motion import SkeletonMotion, local_quaternions
from .posing import Pose, pose_towards
from .vectors import Array, transposed, turn_about, unit

__all__ = ["Drag", "EditedRow", "Edits", "Mode", "TargetPose", "apply_edits", "drag", "edits_towards"]

_COUNT: Final = len(JOINTS)
_TWISTING: Final = list(TWISTING)
_TWIST_ENDS: Final = [CHILDREN[joint][0] for joint in TWISTING]
_MIRROR: Final = np.diag([-1.0, 1.0, 1.0])
_SAME: Final = 1e-9
"""Metres, and entries of matrices, within which nothing has moved."""
_STILL: Final = 1e-6
"""Metres of a drag that are a control's rounding."""
_STEADY: Final = 1e-6
"""Radians of twist that are rounding."""


def apply_edits(base: SkeletonMotion, edits: Edits) -> TargetPose:
    """The pose that the artist wants. A row's result depends on that row alone; rows without an edit are the base's.

    Raises:
        ValueError: another number of edits than of frames.
    """
    if len(base) != len(edits):
        raise ValueError(f"edits: found {len(edits)} rows, want {len(base)}")
    rows = np.flatnonzero(edits.edited())
    turned_base = base.globals()
    joints = base.joints()
    root, rotations, twist = base.root, base.rotations, np.zeros((len(base), _COUNT))
    if len(rows):
        pose, twist[rows] = _posed(base.rest_joints, Pose(turned_base[rows], joints[rows]), edits, rows)
        local = local_quaternions(pose.turned)
        local *= np.where((local * rotations[rows]).sum(-1, keepdims=True) < 0, -1.0, 1.0)
        root, rotations, joints = root.copy(), rotations.copy(), joints.copy()
        root[rows], rotations[rows], joints[rows] = pose.joints[:, 0], local, pose.joints
    return TargetPose(base.changed(root=root, rotations=rotations), joints, twist, edits.strength)


def drag(base: SkeletonMotion, edits: Edits, drag: Drag) -> Edits:
    """The edits after a drag of one frame: as `EditedRow.drag`."""
    return EditedRow(base).drag(edits, drag)


class EditedRow:
    """One frame of the base pose, and what edits make of it: for many questions about the same frame."""

    def __init__(self, base: SkeletonMotion) -> None:
        """Raises ValueError for more than one frame."""
        if len(base) != 1:
            raise ValueError(f"base: found {len(base)} rows, want 1")
        turned_base = base.globals()
        self._rest_joints, self._base = base.rest_joints, Pose(turned_base, base.joints())
        self._started: tuple[Edits, Pose, Array] | None = None

    def posed(self, edits: Edits) -> tuple[Pose, Array]:
        """As `apply_edits`: joints and global rotations, and the twist (1, 24). Raises ValueError for more rows."""
        if len(edits) != 1:
            raise ValueError(f"edits: found {len(edits)} rows, want 1")
        if not edits.edited()[0]:
            return self._base, np.zeros((1, _COUNT))
        return _posed(self._rest_joints, self._base, edits, np.array([0]))

    def drag(self, edits: Edits, drag: Drag) -> Edits:
        """The edits after a drag, followers' included: joints that the drag does not move keep theirs bit by bit.

        `edits`: one row, as it was before the drag.

        Raises:
            ValueError: more than one row.
            BadArgument: a place further than `LARGEST` from the base pose.
        """
        pose, twist = self._start(edits)
        body = Body(pose.joints[0], pose.turned[0])
        sides = [(drag.joint, False)]
        if drag.mirror and JOINTS_MIRROR[drag.joint] != drag.joint:
            sides.append((JOINTS_MIRROR[drag.joint], True))
        for joint, mirrored in sides:
            if drag.to is not None:
                by = _displacement(drag, body, mirrored)
                if np.abs(by).max() > _STILL:
                    move = body.stretch if drag.mode == "free" else body.move
                    move(joint, body.was[joint] + by, children=drag.children, pins=drag.pins)
            if drag.turn is not None:
                turn = _world_turn(drag, self._base, body, twist[0], self._rest_joints, mirrored)
                body.turn(joint, turn, children=drag.children, pins=drag.pins)
        return _edits_of(self._rest_joints, self._base, edits, body)

    def _start(self, edits: Edits) -> tuple[Pose, Array]:
        """What a drag starts from; while the mouse moves that stays the same."""
        if self._started is None or not self._started[0].same(edits):
            self._started = edits, *self.posed(edits)
        return self._started[1:]


def edits_towards(base: SkeletonMotion, wanted: SkeletonMotion) -> Edits:
    """The edits that lead each frame of the base pose onto another pose of the same skeleton.

    Raises:
        ValueError: another number of frames.
    """
    if len(base) != len(wanted):
        raise ValueError(f"wanted: found {len(wanted)} frames, want {len(base)}")
    turned_base, turned_to = base.globals(), wanted.globals()
    start = Pose(turned_base, base.joints())
    edits = Edits.none(len(base))
    edits.offset[:] = offsets_of(wanted.joints() - start.joints, turned_base)
    turning = list(TURNING)
    frames = _frames(start, turned_to)
    edits.turn[:, turning] = quaternions.from_matrix(transposed(frames[:, turning]) @ turned_to[:, turning])
    # What is left of the others, once they point where they should, is a turn about their own bone.
    pose, _ = _posed(base.rest_joints, start, edits, np.arange(len(base)))
    left = quaternions.from_matrix(transposed(pose.turned[:, _TWISTING]) @ turned_to[:, _TWISTING])
    axes = _bone_axes(base.rest_joints)
    half = _twist(left, axes)[..., None] / 2
    edits.turn[:, _TWISTING] = np.concatenate([np.cos(half), np.sin(half) * axes], -1)
    return edits


def _posed(rest_joints: Array, base: Pose, edits: Edits, rows: NDArray[np.intp]) -> tuple[Pose, Array]:
    """The pose of some rows, and their twist (n, 24). `base` holds these rows alone."""
    turn = edits.turn[rows]
    wanted = base.joints + moves_of(edits.offset[rows], base.turned)
    twist = np.zeros(turn.shape[:2])
    twist[:, _TWISTING] = _twist(turn[:, _TWISTING], _bone_axes(rest_joints))
    turns = quaternions.to_matrix(turn)
    return pose_towards(base, rest_joints, wanted, turns, twist, edits.stretch[rows]), twist


def _bone_axes(rest_joints: Array) -> Array:
    """(T, 3) along the bone of each of `TWISTING`, rest frame."""
    return unit(rest_joints[_TWIST_ENDS] - rest_joints[_TWISTING], np.array([0.0, 1.0, 0.0]))


def _twist(turn: Array, axes: Array) -> Array:
    """The part of turns about axes. Shape: (..., 4), (..., 3) → (...) radians, -π to π."""
    half = np.arctan2((turn[..., 1:] * axes).sum(-1), turn[..., 0])
    return np.asarray((2 * half + np.pi) % (2 * np.pi) - np.pi)


def _displacement(drag: Drag, body: Body, mirrored: bool) -> Array:
    """How far the drag leads its joint, or the other side's. Shape: (3,)."""
    by = np.asarray(drag.to) - body.was[drag.joint]
    if np.abs(by).max() > LARGEST:
        raise refused(f"{JOINTS[drag.joint]} is moved by {np.abs(by).max():.0f} m")
    across = body.was_turned[PELVIS][:, 0]
    return np.asarray(by - 2 * (by @ across) * across if mirrored else by)


def _world_turn(drag: Drag, base: Pose, body: Body, twist: Array, rest_joints: Array, mirrored: bool) -> Array:
    """What turns the drag's joint in the world so that it gets the drag's turn, or the other side's likewise. (3, 3)"""
    joint = JOINTS_MIRROR[drag.joint] if mirrored else drag.joint
    wanted = quaternions.normalised(np.asarray(drag.turn))
    if joint in TWISTING:
        axes = _bone_axes(rest_joints)
        angle = _twist(wanted, axes[_TWISTING.index(drag.joint)]) - twist[drag.joint]
        bone = body.joints[CHILDREN[joint][0]] - body.joints[joint]
        return turn_about(unit(bone, axes[0]), np.asarray(-angle if mirrored else angle))
    now = body.turned[joint]
    if not mirrored:
        return np.asarray(_frames(base, body.turned[None])[0, joint] @ quaternions.to_matrix(wanted) @ now.T)
    before = body.was_turned
    change = before[drag.joint].T @ _frames(base, before[None])[0, drag.joint] @ quaternions.to_matrix(wanted)
    turned_likewise: Array = now @ _MIRROR @ change @ _MIRROR @ now.T
    return turned_likewise


def _frames(base: Pose, rotations: Array) -> Array:
    """What `Edits.turn` turns in: the base rotations, and the limbs' tips carried by their ends.

    Shape: rotations (n, 24, 3, 3) → (n, 24, 3, 3).
    """
    frames: Array = base.turned.copy()
    for tip in LIMB_TIPS:
        end = PARENTS[tip]
        frames[:, tip] = rotations[:, end] @ transposed(frames[:, end]) @ frames[:, tip]
    return frames


def _edits_of(rest_joints: Array, base: Pose, edits: Edits, body: Body) -> Edits:
    """The edits that make the base pose that of `body`."""
    offset, turn, stretch = edits.offset.copy(), edits.turn.copy(), edits.stretch.copy()
    by = body.joints - body.was
    by[[joint for joint in range(_COUNT) if joint != PELVIS]] -= by[PELVIS]  # it takes them along
    moved = np.abs(by).max(-1) > _SAME
    stretch[0, list(body.stretched)] = 1.0
    stretch[0, moved & (stretch[0] > 0)] = 1.0  # their places are those they have now
    written = moved.copy()
    written[list(body.kept)] = True
    offset[0, written] = offsets_of(body.joints - base.joints, base.turned)[0, written]
    frames = _frames(base, body.turned[None])[0]
    before = _frames(base, body.was_turned[None])[0]
    for joint in TURNING:
        local = frames[joint].T @ body.turned[joint]
        if np.abs(local - before[joint].T @ body.was_turned[joint]).max() > _SAME:
            turn[0, joint] = quaternions.from_matrix(local)
    if body.spun:
        pose, twist = _posed(rest_joints, base, Edits(offset, turn, stretch, edits.strength), np.array([0]))
        axes = _bone_axes(rest_joints)
        for joint in body.spun:
            axis = axes[_TWISTING.index(joint)]
            more = _twist(quaternions.from_matrix(pose.turned[0, joint].T @ body.turned[joint]), axis)
            if abs(more) > _STEADY:
                half = (twist[0, joint] + more) / 2
                turn[0, joint] = [np.cos(half), *(np.sin(half) * axis)]
    return Edits(offset, turn, stretch, edits.strength)
