"""Does a corrected 2D detection mend the pose? Judged on rendered clips with mistakes planted in their detections.

    python -m inference_backend evaluate corrections

The real BlazePose saw the clips; in some frames landmarks are then put elsewhere, its 3D guess with them. The clip is
solved so, for a body of the true shape, and landmarks are corrected in a few of the wrong frames to where they truly
are. Errors are millimetres, the pelvis of both on one place, over the wrong frames: of the joints that the planted
landmarks show, and of all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..body import load_default_body
from ..camera import Intrinsics
from ..corrections import spread
from ..geometry import matrix_to_axis_angle
from ..lift_reach import meeting
from ..lift_window import Footage, SameShape
from ..lifters.videopose3d import VideoPose3D
from ..progress import Meter
from ..recalibrate import Wanted
from ..relift import edits_around, lifted_again
from ..scene import on_one_floor
from ..skeletons import JOINTS
from ..solve import Solver
from ..solve_preset import SolvePreset
from ..targets.edits import apply_edits
from ..targets.motion import SkeletonMotion
from ..targets.parameters import Layers
from ..training.lifting_data import RenderedSet, Truth
from .planted_detections import COUNT, MISTAKES, WRONG, Mistake, corrections, plant

Array = NDArray[np.float64]

CORRECTED: Final = {1: (5,), 2: (0, 9), 3: (0, 5, 9)}
"""How many corrections: in which of the wrong frames."""


@dataclass(frozen=True)
class Row:
    """Errors of one mistake with one number of corrections: means over the clips, mm."""

    name: str
    unplanted: tuple[float, float]
    """Wrong joints, other joints, as if nothing were planted."""
    before: tuple[float, float]
    """Planted."""
    after: tuple[float, float]
    """Corrected."""


def rows(
    rendered: Path,
    clips: int,
    tick: Callable[[int, int], None] = lambda *_: None,
    mistakes: Mapping[str, Mistake] = MISTAKES,
) -> list[Row]:
    """Every mistake with 1, 2 and 3 corrections on the first clips of a rendered set."""
    data = RenderedSet([rendered], Truth(load_default_body()))
    lifter, count = VideoPose3D(), min(clips, len(data))
    found: dict[tuple[str, int], list[Array]] = {(name, n): [] for name in mistakes for n in CORRECTED}
    for clip in range(count):
        for name, mistake in mistakes.items():
            for n, errors in _errors(Clip(data, clip, lifter), mistake).items():
                found[name, n].append(errors)
        tick(clip + 1, count)
    out = []
    for (name, n), one in found.items():
        unplanted, before, after = ((float(own), float(other)) for own, other in np.mean(one, axis=0))
        out.append(Row(f"{name}: {n} of {COUNT} frames", unplanted, before, after))
    return out


def table(found: Sequence[Row]) -> str:
    """Markdown."""
    lines = [
        "| planted mistake: corrected in | its joints mm: unplanted | planted → corrected | others: unplanted "
        "| planted → corrected |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for row in found:
        own, other = zip(row.unplanted, row.before, row.after, strict=True)
        lines.append(
            f"| {row.name} | {own[0]:.0f} | {own[1]:.0f} → {own[2]:.0f} "
            f"| {other[0]:.1f} | {other[1]:.1f} → {other[2]:.1f} |"
        )
    return "\n".join(lines)


class Clip:
    """A rendered clip: what BlazePose saw, what is true, and how it is solved."""

    def __init__(self, data: RenderedSet, clip: int, lifter: VideoPose3D) -> None:
        f, c = data.intrinsics[clip, :2].numpy(), data.intrinsics[clip, 2:].numpy()
        height = float(data.height[clip])
        preset = replace(SolvePreset(), height=height)
        self.solver = Solver(load_default_body(), lifter, SameShape(data.betas[clip]), preset)
        self.rest = self.solver.rig.rest_joints(data.betas[clip : clip + 1])[0].double().numpy()
        self.joints = data.targets[clip][:, : len(JOINTS)].numpy()
        landmarks = data.landmarks[clip].numpy()
        self.pixels = landmarks[..., :2] / landmarks[..., 2:] * f + c
        self.tall = float(f[0] * height / landmarks[..., 2].mean())
        seen = np.concatenate([data.points[clip].numpy() * f + c, data.confidence[clip].numpy()[..., None]], -1)
        (fx, fy, cx, cy), (wide, high) = data.intrinsics[clip].tolist(), data.size[clip]
        camera = Intrinsics(fx, fy, cx, cy, int(wide), int(high), "field")
        seconds = np.arange(data.frames) / lifter.fps
        self.footage = Footage(
            seen.astype(np.float32), data.world[clip].numpy(), seconds, camera, np.eye(4), data.betas[clip].numpy()
        )

    def solved(self, footage: Footage) -> tuple[SkeletonMotion, Array]:
        """The fitted skeleton in its world, and the world."""
        streams = self.solver.look(footage.rows(0, len(footage.seconds)), footage.camera, lambda *_: None)
        placed = on_one_floor([self.solver], [streams], True)
        target, world = placed.targets(lambda *_: None)[0].target, placed.world.matrix
        pose = matrix_to_axis_angle(target.local_rotations)
        return SkeletonMotion.from_camera(target.root, pose, self.rest, world), world

    def error(self, motion: SkeletonMotion, world: Array, mistake: Mistake) -> Array:
        """mm over the wrong frames, of the joints that are wrong and of the others. Shape: (2,)."""
        joints = (motion.joints() - world[:3, 3]) @ world[:3, :3]
        away = np.linalg.norm((joints - joints[:, :1]) - (self.joints - self.joints[:, :1]), axis=-1)[WRONG]
        own = [JOINTS.index(name) for name in mistake.joints]
        return 1000 * np.array([away[:, own].mean(), np.delete(away, [0, *own], axis=1).mean()])


def _errors(clip: Clip, mistake: Mistake) -> dict[int, Array]:
    """By number of corrections: (3, 2) errors unplanted, planted, corrected; of the wrong joints, of the others."""
    unplanted = clip.error(*clip.solved(clip.footage), mistake)
    planted = plant(clip.footage, mistake, clip.tall, clip.solver.preset.height)
    fitted, world = clip.solved(planted)
    footage, before, out = replace(planted, world=world), clip.error(fitted, world, mistake), {}
    for n, frames in CORRECTED.items():
        given = corrections(clip.pixels, planted, mistake, [WRONG.start + k for k in frames])
        corrected = spread(planted.keypoints, planted.seconds, given)
        depth = np.asarray(fitted.to_camera(world)[0][:, 2])
        now = footage.corrected(corrected, depth)
        motion, _ = lifted_again(clip.solver, footage, now, fitted, corrected, Meter(lambda _: None))
        wanted = meeting(clip.solver, now, corrected, motion)
        made = edits_around(fitted, wanted, footage.seconds, corrected)
        edits = Wanted(Layers.off(), made.rows, made.edits).edits_of(np.arange(len(fitted)))
        out[n] = np.stack([unplanted, before, clip.error(apply_edits(fitted, edits).motion, world, mistake)])
    return out
