"""What can be told of a take without ground truth: does it meet its footage, and does it move as a body does?

The counts (`motion_faults`) are of frames that deserve a look, not a verdict: look at `render`, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from ..body import load_default_body
from ..body_model import BodyModel
from ..body_points import PointRig, compose
from ..errors import TakeMismatch
from ..geometry import quaternion_to_matrix
from ..person_stack import PersonStack, Sources
from ..skeletons import JOINTS, PARENTS
from ..take import Person, Take
from ..targets.source import StackSource
from ..targets.under_feet import heights_under
from .motion_faults import (
    SURE,
    bent_back,
    bone_spread,
    crossed,
    depth_jumps,
    flipped,
    standing_feet,
    standing_speeds,
    swapped,
)

NEAR: Final = 0.5
"""Metres from the floor within which a standing foot is taken to stand on it."""

_BATCH: Final = 256


@dataclass(frozen=True)
class Quality:
    """One person of a take."""

    frames: int
    """Frames of the person."""
    reprojection: float
    """Median distance of the calibrated mesh's landmarks to BlazePose's where it is sure, % of the body's height."""
    reprojection_95: float
    """95th percentile of it."""
    cleanup: float
    """Median distance in the picture of the joints after the clean-up to the fitted ones, % of the body's height."""
    cleanup_95: float
    """95th percentile of it."""
    bone_spread: float
    """Largest minus smallest length of a bone of the target, % of its mean; the worst bone's."""
    swapped: int
    """Frames in which limbs of the target are where those of the other side were in the frame before."""
    crossed: int
    """Frames in which placed limbs would meet the detected ones better with the sides exchanged."""
    flipped: int
    """Frames in which hips or shoulders turn round at once."""
    bent_back: int
    """Frames in which a knee or an elbow of the skeleton is bent the wrong way."""
    depth_jumps: int
    """Frames in which a joint of the target jumps along the line of sight."""
    foot_speed: float
    """Median speed of the target's feet while they stand in the picture, mm/s; NaN where none does."""
    foot_speed_95: float
    """95th percentile of it."""
    floor: float
    """Median distance of the calibrated mesh's feet to the floor, or what else they come to rest on, while they stand
    in the picture, mm, of those within `NEAR` of it; NaN where none does."""
    floor_95: float
    """95th percentile of it."""


_TITLES: Final = {
    "frames": "frames", "reprojection": "reproj. %", "reprojection_95": "95%",
    "cleanup": "clean-up %", "cleanup_95": "95%", "bone_spread": "bones ± %",
    "swapped": "swapped", "crossed": "crossed", "flipped": "flipped", "bent_back": "bent back",
    "depth_jumps": "depth jumps", "foot_speed": "feet mm/s", "foot_speed_95": "95%",
    "floor": "floor mm", "floor_95": "95%",
}  # fmt: skip


def run(takes: Sequence[Take]) -> list[Quality]:
    """Measure everyone in these takes, and print a table. Raises TakeMismatch: of another body, or not finished."""
    body = load_default_body()
    rows, names = [], []
    for take in takes:
        for person in take.people:
            rows.append(quality(person, body))
            names.append(f"{take.folder.name}, {person.info.index}")
    print(table(names, rows))
    return rows


def quality(person: Person, body: BodyModel) -> Quality:
    """All measures of one person. Raises TakeMismatch."""
    info = person.take.info.body
    if info.vertices != body.vertex_count or not person.finished("calibrate"):
        raise TakeMismatch(
            f"person {person.info.index} of {person.take.folder} is of the body {info.name} or not finished",
            hint="Finish the take with the command that made it; other bodies than the default cannot be judged.",
            path=str(person.take.folder),
        )
    fx, fy, cx, cy = (float(value) for value in person.array("camera"))
    detected = np.asarray(person.array("keypoints_2d"), np.float64)
    joints = np.asarray(person.array("joints_target"), np.float64)
    points = np.asarray(person.array("points_target"), np.float64)
    seconds = np.asarray(person.array("seconds"), np.float64)
    placed = placed_landmarks(person, body)
    pixels = np.stack([fx * placed[..., 0] / placed[..., 2] + cx, fy * placed[..., 1] / placed[..., 2] + cy], -1)
    tall = fy * person.info.height / joints[:, 0, 2]
    distance = 100 * np.linalg.norm(pixels - detected[..., :2], axis=-1) / tall[:, None]
    sure = detected[..., 2] > SURE
    median, p95 = _percentiles(distance[sure])
    foot_speed, foot_speed_95 = _percentiles(1000 * standing_speeds(points, detected, tall, seconds))
    source = PersonStack(Sources.of(person)).source
    cleanup, cleanup_95 = _percentiles(_moved(person, source) / tall[:, None])
    above = sole_heights(person, body) - heights_under(source.fitted, source)[:, None]
    heights = above[standing_feet(detected, tall, seconds)]
    floor, floor_95 = _percentiles(1000 * np.abs(heights[np.abs(heights) < NEAR]))
    return Quality(
        frames=len(joints),
        reprojection=median,
        reprojection_95=p95,
        cleanup=cleanup,
        cleanup_95=cleanup_95,
        bone_spread=bone_spread(joints),
        swapped=int(swapped(joints).sum()),
        crossed=int(crossed(pixels, detected, tall).sum()),
        flipped=int(flipped(joints).sum()),
        bent_back=int(bent_back(np.asarray(person.array("rotations"))).sum()),
        depth_jumps=int(depth_jumps(joints, seconds).sum()),
        foot_speed=foot_speed,
        foot_speed_95=foot_speed_95,
        floor=floor,
        floor_95=floor_95,
    )


def placed_landmarks(person: Person, body: BodyModel) -> npt.NDArray[np.float64]:
    """BlazePose's landmarks on the calibrated mesh, where BlazePose sees them. Shape: (F, 33, 3) metres, camera."""
    carrier = PointRig.of_landmarks(body, as_seen=True).shares.argmax(1)
    vertices, rotations = person.array("vertices"), person.array("rotations")
    out = []
    for start in range(0, person.frames, _BATCH):
        rows = slice(start, start + _BATCH)
        found = body.landmarks(torch.from_numpy(np.array(vertices[rows])))
        if body.landmark_offsets is not None:
            turns = compose(quaternion_to_matrix(torch.from_numpy(np.array(rotations[rows]))), PARENTS)
            found = found + (turns[:, carrier] @ body.landmark_offsets[..., None])[..., 0]
        out.append(found.double().numpy())
    return np.concatenate(out)


def _moved(person: Person, source: StackSource) -> npt.NDArray[np.float64]:
    """How far the clean-up moved joints in the picture. Shape: (F, 24) hundredths of a pixel."""
    focal = np.asarray(person.array("camera"), np.float64)[:2]
    world = np.asarray(person.array("world"), np.float64)
    fitted = (source.fitted.joints() - world[:3, 3]) @ world[:3, :3]
    base = np.asarray(person.array("joints_base"), np.float64)
    seen = [joints[..., :2] / joints[..., 2:] * focal for joints in (fitted, base)]
    return np.asarray(100 * np.linalg.norm(seen[1] - seen[0], axis=-1))


def sole_heights(person: Person, body: BodyModel) -> npt.NDArray[np.float64]:
    """Height of the lowest vertex of the calibrated mesh's left and right foot in the world. Shape: (F, 2) metres."""
    joints = [body.smpl24[JOINTS.index(f"{side}_{part}")] for side in ("left", "right") for part in ("ankle", "foot")]
    share = body.weights[:, joints]
    feet = [np.flatnonzero(share[:, rows].sum(1).numpy() > 0.5) for rows in ([0, 1], [2, 3])]
    world, vertices = np.asarray(person.array("world"), np.float64), person.array("vertices")
    return np.stack([(vertices[:, foot] @ world[2, :3]).min(1) + world[2, 3] for foot in feet], 1)


def table(names: Sequence[str], rows: Sequence[Quality]) -> str:
    """The result as Markdown; a row a person."""
    columns = [entry.name for entry in fields(Quality)]
    lines = ["| take, person | " + " | ".join(_TITLES[name] for name in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for name, row in zip(names, rows, strict=True):
        values = [getattr(row, column) for column in columns]
        lines.append(f"| {name} | " + " | ".join(f"{v:.1f}" if isinstance(v, float) else str(v) for v in values) + " |")
    return "\n".join(lines)


def _percentiles(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Median and 95th percentile; NaN of nothing."""
    return (float(np.median(values)), float(np.percentile(values, 95))) if len(values) else (np.nan, np.nan)
