"""Lifted again: the frames around corrected 2D detections, as edits that lead the pose to what is lifted from them.

    corrected detections → lifter → fit → change of the fitted skeleton → layers → meet the picture → edits of the base

The take's sources stay as they are: what comes of a correction is an artist's edit as any other, so undo, revert and
strength work on it, and no other row changes. A window is lifted twice, from the detections as they were and as they
are now, and the difference is put onto the take's skeleton: what a correction does not reach (`lift_reach.py`) does not
move.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from .corrections import Corrected, Correction, check, spread
from .key_rows import sparse
from .lift_reach import meeting, reached
from .lift_window import Footage, lift_window, solver_of
from .progress import Meter, Progress
from .recalibrate import finished_person, open_stack, spans_of
from .sightings import joint_landmarks, mean_fps
from .solve import Solver
from .standing import standing
from .streams import MARGIN
from .take import open_take
from .targets import quaternions
from .targets.chains import PELVIS
from .targets.edits import Edits, edits_towards
from .targets.motion import SkeletonMotion
from .targets.parameters import Layers
from .targets.source import StackSource
from .targets.stack import apply_layers

Array = NDArray[np.float64]

BLEND_SECONDS: Final = 0.3
"""Over which the edits come in before the corrected frames, and go out after them."""

LEAST_MOVE: Final = 0.02
"""Metres of a joint against its parent, at most in any frame, that are no edit: it gets no keys."""

LEAST_TURN: Final = np.radians(5.0)
"""Radians of the same. With both at a twentieth of this, `evaluate corrections` differs by 1 mm, and all joints have
keys."""

NOTHING: Final = 1e-5
"""Metres, and parts of quaternions, that are not worth a row of the take."""


@dataclass(frozen=True, eq=False)
class Relifted:
    """Edits of the rows around corrections."""

    rows: NDArray[np.int64]
    """(n,) increasing."""
    edits: Edits
    """Of these rows, from the base pose: what curves through the keyed ones hold."""
    keyed: NDArray[np.bool_]
    """(n,) the rows that need keys."""

    @property
    def joints(self) -> tuple[int, ...]:
        """The joints that are edited."""
        turned = (self.edits.turn[..., 1:] != 0).any((0, 2))
        return tuple(int(joint) for joint in np.flatnonzero(turned | (self.edits.offset != 0).any((0, 2))))


def relift(
    folder: Path,
    person: int,
    layers: Layers,
    corrections: Sequence[Correction],
    report: Callable[[Progress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Relifted:
    """What corrections make of a take's person, as edits of the base pose under these layers. Writes nothing.

    Raises:
        BadArgument: no such person, or a correction that cannot be meant.
        TakeCorrupt, TakeVersion, TakeNotFound: no finished take of this version.
        WeightsMissing, WeightsCorrupt: of the lifter.
        Cancelled.
    """
    meter = Meter(report, cancelled)
    take = open_take(folder)
    one = finished_person(take, person)
    check(corrections, one.frames, take.info.clip.width, take.info.clip.height)
    meter.stage("load", 0, 1)
    stack, footage = open_stack(folder, person), Footage.of(one)
    corrected = spread(footage.keypoints, footage.seconds, corrections)
    fitted = stack.source.fitted
    depth = np.asarray(fitted.to_camera(footage.world)[0][:, 2])
    solver = solver_of(one, footage)
    meter.stage("load", 1, 1)
    now = footage.corrected(corrected, depth)
    motion, log_error = lifted_again(solver, footage, now, fitted, corrected, meter)
    source = _source(stack.source, footage, corrected, motion, log_error)
    base = stack.base(layers)
    # After the layers: to these, what an artist corrects in one frame is an outlier.
    wanted = meeting(solver, now, corrected, apply_layers(source, layers, reports=False).motion)
    return edits_around(base, wanted, footage.seconds, corrected)


def lifted_again(
    solver: Solver, footage: Footage, now: Footage, fitted: SkeletonMotion, corrected: Corrected, meter: Meter
) -> tuple[SkeletonMotion, Array]:
    """The fitted skeleton in the world, changed where corrections reach, and the change of its `log_error` (F, 24).

    Args:
        solver: of the take. footage: as detected. now: with the corrections. fitted: the take's, over all frames.
    """
    root, rotations, doubt = fitted.root.copy(), fitted.rotations.copy(), np.zeros(fitted.rotations.shape[:2])
    spans = list(spans_of(np.flatnonzero(_blend(footage.seconds, corrected) > 0)))
    margin = MARGIN / solver.lifter.fps
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a reconstruction: the fit's operations are tiny
    try:
        for done, (start, stop) in enumerate(spans):
            meter.stage("lift", done, len(spans))
            low = int(np.searchsorted(footage.seconds, footage.seconds[start] - margin))
            high = int(np.searchsorted(footage.seconds, footage.seconds[stop - 1] + margin, side="right"))
            (was, sure_was), (is_, sure) = (
                lift_window(solver, one, low, high, fitted.rest_joints, meter) for one in (footage, now)
            )
            here, first, last = slice(start, stop), start - low, stop - low
            was, is_ = was.rows(first, last), is_.rows(first, last)
            reach = reached(was, is_, corrected.share[here])
            change = quaternions.product(quaternions.conjugate(was.rotations), is_.rotations)
            part = quaternions.between(quaternions.IDENTITY, change, np.broadcast_to(reach, change.shape[:2]))
            rotations[here] = quaternions.product(rotations[here], _calmed(part))
            root[here] += reach[PELVIS] * (is_.root - was.root)
            doubt[here] = sure[first:last] - sure_was[first:last]
    finally:
        torch.set_num_threads(threads)
    meter.stage("lift", len(spans), len(spans))
    return fitted.changed(root=root, rotations=rotations), doubt


def _calmed(change: Array) -> Array:
    """A change of rotations without what only one frame has, which is the fit's: of an arm that is nearly straight it
    cannot tell how it turns. Half of each frame is its neighbours' middle. Shape: (n, 24, 4)."""
    if len(change) < 3:
        return change
    middle = quaternions.between(change[:-2], change[2:], np.full(change.shape[1:2], 0.5))
    out = change.copy()
    out[1:-1] = quaternions.between(change[1:-1], middle, np.full(change.shape[1:2], 0.5))
    return out


def edits_around(base: SkeletonMotion, wanted: SkeletonMotion, seconds: Array, corrected: Corrected) -> Relifted:
    """Edits that lead the base pose to the wanted one where corrections reach, coming in and going out gently."""
    share = _blend(seconds, corrected)
    rows = np.flatnonzero(share > 0)
    start = SkeletonMotion(base.root[rows], base.rotations[rows], base.rest_joints)
    shares = share[rows, None]
    blended = start.changed(
        root=start.root + shares * (wanted.root[rows] - start.root),
        rotations=quaternions.between(start.rotations, wanted.rotations[rows], shares),
    )
    edits = edits_towards(start, blended)
    move = np.linalg.norm(edits.offset, axis=-1).max(0, initial=0)
    turn = quaternions.angle_between(edits.turn, quaternions.IDENTITY).max(0, initial=0)
    edits.offset[:, move < LEAST_MOVE] = 0
    edits.turn[:, turn < LEAST_TURN] = quaternions.IDENTITY
    away = np.concatenate([edits.offset, edits.turn[..., 1:]], -1)
    kept = (np.abs(away) > NOTHING).any((1, 2))
    edits = Edits(edits.offset[kept], edits.turn[kept], edits.stretch[kept], edits.strength[kept])
    keyed, held = sparse(rows[kept], edits, corrected.given[rows[kept]].any(1), len(seconds))
    return Relifted(rows[kept], held, keyed)


def _blend(seconds: Array, corrected: Corrected) -> Array:
    """How far each frame is led to what was lifted again: 1 where corrections are, 0 a while away. Shape: (F,)."""
    reached = seconds[corrected.share.max(1) > 0]
    away = np.abs(seconds[:, None] - reached).min(1)
    left = np.clip(1 - away / BLEND_SECONDS, 0, 1)
    return np.asarray(left * left * (3 - 2 * left))


def _source(
    source: StackSource, footage: Footage, corrected: Corrected, motion: SkeletonMotion, doubt: Array
) -> StackSource:
    """What the layers look at, with the corrections in it."""
    keypoints = corrected.keypoints.astype(np.float32)
    points = torch.tensor(footage.camera.normalise(keypoints[..., :2]))
    still = standing(points, torch.tensor(keypoints[..., 2]), mean_fps(footage.seconds)).double().numpy()
    gained = (keypoints[..., 2] - footage.keypoints[..., 2]) @ joint_landmarks().T
    return replace(
        source,
        fitted=motion,
        visibility=np.clip(source.visibility + gained, 0, 1),
        log_error=source.log_error + doubt,
        standing=still,
    )
