"""The default body fitted to a lifted clip: one shape, constant bone lengths, a smooth path, the 2D detections met.

Between lifter and target stack. The lifter's joints have bones that breathe and a depth that jitters; the fit finds
the body pose nearest to them, frame by frame but coupled over time, by a few dozen steps of Adam. All on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

import torch
from torch import Tensor

from .adam import minimise
from .body_points import PointRig
from .fit_cost import ENDS, SAYS, FitCost, FitSettings
from .fit_kernel import cost_of
from .footing import Footing
from .geometry import axis_angle_to_matrix, matrix_to_axis_angle, matrix_to_sixd, sixd_to_matrix, swing
from .pose_kernel import turned
from .skeletons import PARENTS, POINT_LANDMARKS
from .standing import SOLES

_UNSURE: Final = 0.2
"""Metres: a limb turns half way to a joint of this expected error."""

WINDOW: Final = 768
"""Frames solved at once."""

OVERLAP: Final = 32
"""Frames that neighbouring windows share, and are blended over."""

CHILD: Final = (-1, 4, 5, -1, 7, 8, -1, 10, 11, -1, -1, -1, 15, 16, 17, -1, 18, 19, 20, 21, 22, 23, -1, -1)
"""The joint that each joint's bone points to; -1 where there are several or none."""

_TURN_RATE, _SHIFT_RATE = 0.03, 0.01
"""First step lengths, in radians and in depths."""


@dataclass(frozen=True, eq=False)
class Lifted:
    """What is fitted, over F frames. Camera frame, metres, float32."""

    joints: Tensor
    """(F, 24, 3)"""
    points: Tensor
    """(F, 11, 3)"""
    rotations: Tensor
    """(F, 24, 3, 3) global."""
    log_error: Tensor
    """(F, 24) log of the expected error in metres."""
    landmarks: Tensor
    """(F, 33, 2) the 2D detections, camera-normalised."""
    confidence: Tensor
    """(F, 33)"""
    standing: Tensor
    """(F, 4) how surely each of `standing.SOLES` stands still, 0 to 1."""

    def part(self, start: int, stop: int) -> Lifted:
        """Some of the frames."""
        return Lifted(*(getattr(self, field.name)[start:stop] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Fitted:
    """The fitted clip: its joints are the skeleton's forward kinematics. Camera frame, metres."""

    local_rotations: Tensor
    """(F, 24, 3, 3)"""
    root: Tensor
    """(F, 3) the pelvis."""
    joints: Tensor
    """(F, 24, 3)"""
    points: Tensor
    """(F, 11, 3)"""
    rotations: Tensor
    """(F, 24, 3, 3) global."""


def fit(
    rig: PointRig,
    rig_seen: PointRig,
    betas: Tensor,
    lifted: Lifted,
    fps: float,
    settings: FitSettings,
    tick: Callable[[int], None] = lambda _: None,
    footing: Footing | None = None,
) -> Fitted:
    """Fits a clip of any length, window by window.

    Args:
        rig: the body's landmarks at their anatomical places.
        rig_seen: the same where the estimator sees them, which the 2D detections are compared with.
        betas: (S,)
        fps: frames per second.
        tick: called with the number of finished frames.
        footing: the floor, where it is known.

    Raises:
        ValueError: no frames, other shapes, values that are not finite, fps not above 0.
    """
    _check(lifted, fps)
    frames = len(lifted.joints)
    sixd = torch.zeros(frames, 24, 6)
    root, total = torch.zeros(frames, 3), torch.zeros(frames)
    fade = torch.linspace(0, 1, OVERLAP + 2)[1:-1]
    for start in range(0, max(frames - OVERLAP, 1), WINDOW - OVERLAP):
        stop = min(start + WINDOW, frames)
        under = None if footing is None else footing.part(start, stop)
        local, path = _fit_window(rig_seen, betas, lifted.part(start, stop), fps, settings, under)
        ramp = torch.ones(stop - start)
        if start > 0:
            ramp[:OVERLAP] = fade
        if stop < frames:
            ramp[-OVERLAP:] = fade.flip(0)
        sixd[start:stop] += matrix_to_sixd(local) * ramp[:, None, None]
        root[start:stop] += path * ramp[:, None]
        total[start:stop] += ramp
        tick(stop)
    return posed(rig, betas, sixd_to_matrix(sixd), root / total[:, None])


def posed(rig: PointRig, betas: Tensor, local: Tensor, root: Tensor) -> Fitted:
    """Forward kinematics, the pelvis at `root`. Shape: (S,), (F, 24, 3, 3), (F, 3)."""
    joints, landmarks, rotations = rig.pose(local, betas[None])
    shift = root[:, None] - joints[:, :1]
    return Fitted(local, root, joints + shift, (landmarks + shift)[:, list(POINT_LANDMARKS)], rotations)


def aligned_rotations(
    rig: PointRig, betas: Tensor, joints: Tensor, rotations: Tensor, log_error: Tensor | None = None
) -> Tensor:
    """The lifter's rotations, swung so that each limb points at its lifted joint, less where that is unsure.

    Shape: joints (F, 24, 3), rotations (F, 24, 3, 3), log_error (F, 24) log metres → (F, 24, 3, 3) global.
    """
    rest = rig.rest_joints(betas[None])[0]
    out = rotations.clone()
    owner = [j for j, child in enumerate(CHILD) if child >= 0]
    child = [CHILD[j] for j in owner]
    along = (rotations[:, owner] @ (rest[child] - rest[owner])[..., None])[..., 0]
    turn = swing(along, joints[:, child] - joints[:, owner])
    if log_error is not None:
        error = torch.maximum(log_error[:, owner], log_error[:, child]).exp()  # either end may mislead the bone
        share = 1 / (1 + (error / _UNSURE).square())
        turn = axis_angle_to_matrix(share[..., None] * matrix_to_axis_angle(turn))
    out[:, owner] = turn @ rotations[:, owner]
    return out


def _fit_window(
    rig: PointRig, betas: Tensor, lifted: Lifted, fps: float, settings: FitSettings, footing: Footing | None
) -> tuple[Tensor, Tensor]:
    """Local rotations (F, 24, 3, 3) and root (F, 3) of one window."""
    start = aligned_rotations(rig, betas, lifted.joints, lifted.rotations, lifted.log_error)
    parents = torch.tensor(PARENTS[1:])
    local = torch.cat([start[:, :1], start[:, parents].mT @ start[:, 1:]], 1)
    cost = FitCost(
        place=lifted.joints[:, 0],
        relative=lifted.joints - lifted.joints[:, :1],
        # An expected error of 3 cm weighs 1; nothing weighs more than three times that.
        weight=(0.03 / lifted.log_error.exp()).clamp(0.02, 3.0),
        ends=start[:, list(ENDS)],
        seen=lifted.landmarks,
        trust=lifted.confidence.clamp(0, 1).square() * SAYS,
        stands=torch.minimum(lifted.standing[1:], lifted.standing[:-1]),
        fps=fps,
        settings=settings,
        footing=footing,
    )
    shaped = rig.shaped(betas)

    def loss_of(turn: Tensor, shift: Tensor) -> Tensor:
        rotations = turned(turn, local, rig.parents)
        return cost_of(cost, shaped.from_root(rotations), rotations, turn, shift)

    start_values = torch.zeros(len(local), 24, 3), torch.zeros(len(local), 3)
    turn, shift = minimise(loss_of, start_values, (_TURN_RATE, _SHIFT_RATE), settings.iterations)
    return local @ axis_angle_to_matrix(turn), cost.root(shift)


def _check(lifted: Lifted, fps: float) -> None:
    """Raise ValueError for what cannot be fitted: a single NaN would spread over its window."""
    frames = len(lifted.joints)
    if frames == 0:
        raise ValueError("nothing to fit: no frames")
    if not 0 < fps < float("inf"):
        raise ValueError(f"fps: found {fps}, want a number above 0")
    wanted = ((24, 3), (11, 3), (24, 3, 3), (24,), (33, 2), (33,), (len(SOLES),))
    for field, shape in zip(fields(lifted), wanted, strict=True):
        value: Tensor = getattr(lifted, field.name)
        if value.shape != (frames, *shape):
            raise ValueError(f"{field.name}: found {tuple(value.shape)}, want {(frames, *shape)}")
        if not value.isfinite().all():
            raise ValueError(f"{field.name}: has values that are not finite")
