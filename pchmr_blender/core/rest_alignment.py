# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rig's rest pose stands to the skeleton's T-pose: its axes, its size, its floor, and its limbs' directions.

A bone of the rig is turned as the skeleton's, once both rest alike: first the whole rig is turned upright and to the
front, then each limb from where it rests (an A-pose, arms that hang) to where the skeleton's rests. Trunk and head rest
alike by being upright. A foot that rests flat stays flat, whatever its ankle's height: it is only turned to the front.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument
from ...inference_backend.skeletons import JOINTS, PARENTS
from .bone_map import ARM, JOINT, LEG, NECK, SIDES, SPINE
from .rig_pose import TargetRig
from .source_motion import SourceMotion
from .turns import swing, turned, unit

Array = NDArray[np.float64]

_UPRIGHT: Final = np.cos(np.radians(25))
"""A rig that leans less at rest is taken to stand upright, along an axis of its own."""
_ODD_FOOT: Final = np.cos(np.radians(35))
"""A foot whose rest differs more from the skeleton's, as one that points down, is turned like the other limbs."""
_ON_FLOOR: Final = 0.1
"""A rig that rests nearer to its object's origin, in lengths of its leg, stands there."""

_MOST_LIFT: Final = 0.15
"""Lengths of the leg: heels are not higher."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """From the rig's rest to the skeleton's."""

    upright: Array
    """(3, 3) the world as the rig rests in it → z up, facing -y."""
    limbs: Array
    """(B, 3, 3) after that, the rest that each bone has → the skeleton's."""
    scale: float
    """The rig's leg in lengths of the skeleton's."""
    lift: float
    """Metres that the rig's ankles rest higher above the floor than the skeleton's would, scaled."""
    ball_lift: float
    """The same of the balls of the feet."""


def joint_of(role: str) -> int:
    """The skeleton's joint that a role starts at."""
    side, _, part = role.partition("_")
    return JOINTS.index(f"{side}_{JOINT[part]}" if side in SIDES else JOINT[role])


def next_role(role: str) -> str:
    """What follows in a limb's chain; empty at its end."""
    side, _, part = role.partition("_")
    for chain in (ARM, LEG):
        if part in chain[:-1]:
            return f"{side}_{chain[chain.index(part) + 1]}"
    return ""


def align(rig: TargetRig, source: SourceMotion) -> Alignment:
    """Compare both rest poses. Raises BadArgument where the rig's legs or hips have no size."""
    rest_joints, own_leg = source.rest_joints, _leg_of(rig)
    across = rig.heads[rig.at("left_thigh")] - rig.heads[rig.at("right_thigh")]
    if not (own_leg > 1e-6 and np.linalg.norm(across) > 1e-3 * own_leg):
        raise BadArgument(
            "the mapped legs have no size: thigh, shin and foot start in the same place, or both thighs do",
            hint="Choose the right bones for thighs, shins and feet.",
            leg=own_leg,
        )
    upright = _upright(rig, across)
    scale = own_leg / source.leg
    limbs = np.tile(np.eye(3), (len(rig.names), 1, 1))
    flat = True
    for side in SIDES:
        for chain in (ARM[1:], LEG[:2]):
            above = np.eye(3)
            for role in (f"{side}_{part}" for part in chain):
                bone = rig.index(role)
                if bone is None:
                    continue
                own = turned(above @ upright, _direction(rig, bone))
                above = swing(own, _rest_direction(rest_joints, role)) @ above
                limbs[bone] = above
        foot = rig.index(f"{side}_foot")
        if foot is not None:
            limbs[foot], is_flat = _foot(rig, foot, upright, rest_joints)
            flat = flat and is_flat
            toe = rig.index(f"{side}_toe")
            if toe is not None:
                limbs[toe] = limbs[foot]
    lifts = _lifts(rig, source, upright, scale) if flat else (0.0, 0.0)
    return Alignment(upright, limbs, scale, *lifts)


def trunk_top(rig: TargetRig) -> int | None:
    """The bone whose head is the trunk's upper end: the neck's first, else the head; None where neither is mapped."""
    return next((rig.at(role) for role in (NECK[0], "head") if role in rig.roles), None)


def _leg_of(rig: TargetRig) -> float:
    total = 0.0
    for side in SIDES:
        thigh, shin = rig.at(f"{side}_thigh"), rig.at(f"{side}_shin")
        foot = rig.index(f"{side}_foot")
        end = rig.heads[foot] if foot is not None else rig.tips[shin]
        total += float(np.linalg.norm(rig.heads[shin] - rig.heads[thigh]) + np.linalg.norm(end - rig.heads[shin]))
    return total / 2


def _upright(rig: TargetRig, across: Array) -> Array:
    """(3, 3) → z up, facing -y. Up is an axis of the rig's own where it leans little."""
    hips = (rig.heads[rig.at("left_thigh")] + rig.heads[rig.at("right_thigh")]) / 2
    top = trunk_top(rig)
    spine = [rig.at(role) for role in SPINE if role in rig.roles]
    if top is not None:
        up = rig.heads[top] - hips
    elif spine:
        up = rig.tips[spine[-1]] - hips
    else:
        up = hips - (rig.heads[rig.at("left_shin")] + rig.heads[rig.at("right_shin")]) / 2
    axes = np.concatenate([rig.orientation.T, -rig.orientation.T])
    best = axes[np.argmax(axes @ unit(up))]
    z = best if best @ unit(up) > _UPRIGHT else unit(up)
    x = unit(across - (across @ z) * z)
    return np.stack([x, np.cross(z, x), z])


def _direction(rig: TargetRig, bone: int) -> Array:
    """Where a limb's bone points at rest, in the world: to the next one's head, else to what its tip says."""
    role = rig.roles[bone]
    after = rig.index(next_role(role))
    if after is not None:
        return np.asarray(rig.heads[after] - rig.heads[bone])
    tip = rig.tips[bone] - rig.heads[bone]
    side, _, part = role.partition("_")
    before = rig.index(f"{side}_forearm") if part == "hand" else None
    if before is None:
        return np.asarray(tip)
    along = rig.heads[bone] - rig.heads[before]
    # Importers let hands' tails point anywhere: one that lies far from the forearm says nothing.
    return np.asarray(tip if unit(tip) @ unit(along) > np.cos(np.radians(50)) else along)


def _rest_direction(rest_joints: Array, role: str) -> Array:
    joint = joint_of(role)
    child = joint_of(next_role(role)) if next_role(role) else PARENTS.index(joint)
    return np.asarray(rest_joints[child] - rest_joints[joint])


def _foot(rig: TargetRig, foot: int, upright: Array, rest_joints: Array) -> tuple[Array, bool]:
    """A foot's turn, and whether it rests flat."""
    toe = rig.index(next_role(rig.roles[foot]))
    point = rig.heads[toe] if toe is not None else rig.tips[foot]
    own, wanted = turned(upright, point - rig.heads[foot]), _rest_direction(rest_joints, rig.roles[foot])
    if unit(own) @ unit(wanted) > _ODD_FOOT:
        level = np.array([1.0, 1.0, 0.0])
        return swing(own * level, wanted * level), True
    if toe is None:  # a tail that points anywhere
        return np.eye(3), True
    return swing(own, wanted), False


def _lifts(rig: TargetRig, source: SourceMotion, upright: Array, scale: float) -> tuple[float, float]:
    """How much higher than the skeleton's, scaled, ankles and balls rest above the floor that the rig stands on."""
    leg = scale * source.leg
    own_drop = source.ankle_height - source.ball_height
    origin = float((upright @ rig.origin)[2])
    lifts = []
    for side in SIDES:
        foot, toe = rig.index(f"{side}_foot"), rig.index(f"{side}_toe")
        if foot is not None:
            ankle = float((upright @ rig.heads[foot])[2])
            ball = float((upright @ rig.heads[toe])[2]) if toe is not None else ankle - scale * own_drop
            floor = ball - scale * source.ball_height
            if abs(floor - origin) < _ON_FLOOR * leg:
                floor = origin
            lifts.append((ankle - floor - scale * source.ankle_height, ball - floor - scale * source.ball_height))
    ankles, balls = np.clip(np.mean(lifts, 0), -_MOST_LIFT * leg, _MOST_LIFT * leg) if lifts else (0.0, 0.0)
    return float(ankles), float(balls)
