"""Fast actions, made up so that their sharpest moments are known exactly: what smoothing must not round off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from ..skeletons import JOINTS
from ..targets import quaternions
from ..targets.motion import Array, SkeletonMotion

SECONDS: Final = 5.0
"""Length of an action; it happens in the middle."""

_UPRIGHT: Final = quaternions.from_vector([np.pi / 2, 0.0, 0.0])
"""Rest frame (y up) → world (z up)."""

_HEIGHT: Final = 0.95
"""Metres of the pelvis above the floor, standing."""


def claps(rest_joints: Array, seconds: Array) -> SkeletonMotion:
    """Both arms before the chest, five claps a second and a half: at each the hands turn round in no time."""
    t = seconds - 1
    open_ = np.where((t > 0) & (t < 3), np.abs(np.sin(2.5 * np.pi * t)), 0.0)
    turns = {"left_shoulder": ((0, 1, 0), 0.5 * open_ - 1.45), "right_shoulder": ((0, 1, 0), 1.45 - 0.5 * open_)}
    return _motion(rest_joints, seconds, turns)


def kick(rest_joints: Array, seconds: Array) -> SkeletonMotion:
    """One leg swings up by 90° and back within a third of a second, the knee snapping straight on the way."""
    hip, knee = (np.exp(-(((seconds - at) / width) ** 2)) for at, width in ((2.5, 0.09), (2.36, 0.08)))
    return _motion(rest_joints, seconds, {"left_hip": ((1, 0, 0), -1.6 * hip), "left_knee": ((1, 0, 0), 1.5 * knee)})


def punch(rest_joints: Array, seconds: Array) -> SkeletonMotion:
    """An arm goes out in 120 ms, and comes back slowly."""
    out = np.clip((seconds - 2.4) / 0.12, 0, 1)
    out = out * out * (3 - 2 * out) * np.where(seconds > 2.6, np.exp(-(seconds - 2.6) / 0.1), 1.0)
    return _motion(
        rest_joints, seconds, {"right_shoulder": ((0, 1, 0), 1.3 * out), "right_elbow": ((0, 1, 0), 1.6 - 1.6 * out)}
    )


def landing(rest_joints: Array, seconds: Array) -> SkeletonMotion:
    """A jump of half a metre. The fall ends on the floor within one frame, the knees give way."""
    gravity, flight = 9.81, 2 * np.sqrt(2 * 0.5 / 9.81)
    t = seconds - 2
    after = np.clip(t - flight, 0, None)
    knee = np.where(t >= flight, 0.9 * (1 - np.exp(-after / 0.04)) * np.exp(-after / 0.5), 0.0)
    turns = {
        f"{side}_{part}": ((1, 0, 0), share * knee)
        for side in ("left", "right")
        for part, share in (("hip", -0.6), ("knee", 1))
    }
    height = np.where((t > 0) & (t < flight), 0.5 * gravity * t * (flight - t), 0.0) - 0.12 * knee
    return _motion(rest_joints, seconds, turns, height)


ACTIONS: Final[Mapping[str, tuple[Callable[[Array, Array], SkeletonMotion], tuple[str, ...]]]] = {
    "claps": (claps, ("left_wrist", "right_wrist")),
    "kick": (kick, ("left_ankle", "left_foot")),
    "punch": (punch, ("right_wrist", "right_hand")),
    "landing": (landing, ("pelvis", "left_ankle")),
}
"""Each action's maker, of rest joints (24, 3) and seconds (F,), and the joints that it is judged by."""


def kept(motion: SkeletonMotion, truth: SkeletonMotion, seconds: Array, joints: tuple[str, ...]) -> tuple[float, float]:
    """What is left of the peak speed and of the greatest extent, a frame to and fro, at the worst of some joints."""
    speeds, extents = [], []
    for joint in map(JOINTS.index, joints):
        path, true = motion.joints()[:, joint], truth.joints()[:, joint]
        speed, fastest = (np.linalg.norm(np.diff(p, axis=0), axis=-1) / np.diff(seconds) for p in (path, true))
        at = int(fastest.argmax())
        speeds.append(speed[max(at - 1, 0) : at + 2].max() / fastest[at])
        home = np.median(true, 0)
        at = int(np.linalg.norm(true - home, axis=-1).argmax())
        way = true[at] - home
        reached = (path[max(at - 1, 0) : at + 2] - home) @ way
        extents.append(reached.max() / (way @ way))
    return float(min(speeds)), float(min(extents))


def _motion(
    rest_joints: Array,
    seconds: Array,
    turns: Mapping[str, tuple[tuple[int, int, int], Array]],
    height: Array | float = 0.0,
) -> SkeletonMotion:
    """A body that stands still but for some joints' turns about axes of the rest frame, and for its height."""
    rotations = np.tile(quaternions.IDENTITY, (len(seconds), len(JOINTS), 1))
    rotations[:, 0] = _UPRIGHT
    for name, (axis, angle) in turns.items():
        rotations[:, JOINTS.index(name)] = quaternions.from_vector(np.outer(angle, axis))
    root = np.zeros((len(seconds), 3))
    root[:, 2] = _HEIGHT + height
    return SkeletonMotion(root, rotations, rest_joints)
