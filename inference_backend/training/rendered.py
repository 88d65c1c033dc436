"""Rendered clips with exact truth, seen by the real BlazePose: the noise bank, the training pairs and the test set.

    python -m inference_backend train render --clips 1000 --frames 32      # the training subjects
    python -m inference_backend train render --set heavy --clips 1000 --frames 32
    python -m inference_backend train render --set test --clips 240 --frames 48

Clips are made in chunks of 20, each a file, so that it goes on where it was stopped and several processes share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from ..body import load_default_body
from ..estimators.blazepose import BlazePose, BlazePoseSettings
from ..estimators.blazepose_landmarks import LandmarkSize
from ..geometry import matrix_to_axis_angle
from ..raster import project
from ..tracking import overlaps
from .appearance import Wardrobe
from .cameras import sample_betas, sample_view
from .sequences import TILTED, MotionBank, widen

CHUNK = 20
ASPECTS = ((9, 16), (3, 4), (1, 1), (4, 3), (16, 9))


@dataclass(frozen=True)
class RenderSet:
    """A set of clips with a name."""

    seed: int
    """Of its first chunk."""
    test: bool = False
    """Held-out subjects, as they moved, instead of widened motion of the others."""
    tilted: float = TILTED
    """The share of widened motion that leans, lies or stands on its head."""
    long_side: int = 1280
    """The pictures' longer side, px."""
    landmark_model: LandmarkSize = "heavy"
    """As in `BlazePoseSettings`."""
    second_look: bool = True
    """As in `BlazePoseSettings`."""


SETS: Final[Mapping[str, RenderSet]] = {
    "train": RenderSet(0, landmark_model="full"),
    "heavy": RenderSet(50),
    "tilted": RenderSet(200_000, tilted=0.6),
    "more": RenderSet(300_000),
    "test": RenderSet(100_000, test=True),
    "test_full": RenderSet(100_000, test=True, landmark_model="full"),
    "test_small": RenderSet(100_000, test=True, long_side=480),
    "test_first_look": RenderSet(100_000, test=True, second_look=False),
}
"""What can be rendered. Trainings take several training sets; no clip is in two of these, where "train" has 1,000 at
most. The test sets hold the same motion, seen by the same cameras."""


@dataclass(frozen=True)
class RenderJob:
    """One chunk of clips."""

    motion: Path
    """The packed motion."""
    out: Path
    """The file to write."""
    kind: RenderSet
    """What it is part of."""
    seed: int
    """Everything random follows from it."""
    frames: int
    """Frames a clip, at 30 frames/s."""


def render_all(motion: Path, folder: Path, name: str, clips: int, frames: int, *, workers: int = 2) -> Path:
    """Makes every chunk of one of `SETS` that is missing, then packs them into one file, whose path is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = SETS[name]
    jobs = [
        RenderJob(motion, folder / f"{name}_{i:04d}.npz", kind, kind.seed + i, frames)
        for i in range(-(-clips // CHUNK))
    ]
    todo = [job for job in jobs if not job.out.exists()]
    with ProcessPoolExecutor(workers) as pool:
        for done, path in enumerate(pool.map(render_chunk, todo), 1):
            print(f"{done}/{len(todo)} {path.name}", flush=True)
    return pack([job.out for job in jobs], folder.parent / f"rendered_{name}.npz")


def pack(chunks: list[Path], out: Path) -> Path:
    """All chunks as one file."""
    parts = [dict(np.load(path)) for path in chunks]
    save(out, {key: np.concatenate([part[key] for part in parts]) for key in parts[0]})
    return out


def save(path: Path, arrays: dict[str, Any]) -> None:
    """Writes arrays as one compressed file."""
    np.savez_compressed(path, **arrays)


def render_chunk(job: RenderJob) -> Path:
    """Renders one chunk and runs BlazePose over it."""
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(job.seed)
    draw = np.random.default_rng(job.seed)
    body = load_default_body()
    wardrobe, kind = Wardrobe(body), job.kind
    bank = MotionBank(job.motion, test=kind.test)
    motion = bank.windows(CHUNK, job.frames, (1.0, 1.0) if kind.test else (0.7, 1.5), rng)
    if not kind.test:
        motion = widen(motion, bank.windows(CHUNK, job.frames, (0.7, 1.5), rng), rng, tilted=kind.tilted)
    aspects = [ASPECTS[k] for k in draw.integers(len(ASPECTS), size=CHUNK)]
    view = sample_view(motion, rng, picture_height=torch.tensor([h / max(w, h) for w, h in aspects]))
    betas = sample_betas(CHUNK, body.shape_count, rng)
    # One BlazePose per process: loading its interpreter costs more than a clip.
    settings = BlazePoseSettings(
        landmark_model=kind.landmark_model, max_people=1, detect_every=10_000, second_look=kind.second_look
    )
    estimator = BlazePose(settings)
    rows = []
    for i in range(CHUNK):
        local = motion.rotations[i].clone()
        local[:, 0] = view.rotation[i] @ local[:, 0]
        rest_pelvis = body.rest(betas[i : i + 1])[1][:, 0]
        output = body.pose(local, betas[i : i + 1], view.root[i] - rest_pelvis)
        width, height = (kind.long_side * side // max(aspects[i]) for side in aspects[i])
        focal = float(view.focal[i]) * kind.long_side
        intrinsics = (focal, focal, (width - 1) / 2, (height - 1) / 2)
        truth = body.landmarks(output.vertices).numpy()
        look = wardrobe.sample(height, width, draw)
        images = ((f, wardrobe.draw(v, intrinsics, look, draw)) for f, v in enumerate(output.vertices.numpy()))
        seen = [poses.people for poses in estimator.estimate(images)]
        rows.append(
            {
                "pose": matrix_to_axis_angle(local).numpy(),
                "root": view.root[i].numpy(),
                "betas": betas[i].numpy(),
                "intrinsics": np.array(intrinsics, np.float32),
                "size": np.array([width, height], np.int32),
                "up": view.rotation[i][:, 1].numpy(),
                "category": np.array(bank.categories[int(motion.clip[i])]),
                **_detections(seen, [project(t, intrinsics) for t in truth]),
            }
        )
    part = job.out.with_suffix(".part.npz")
    save(part, {key: np.stack([row[key] for row in rows]) for key in rows[0]})
    part.replace(job.out)
    return job.out


def _detections(seen: list[tuple], truth: list[np.ndarray]) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """The person that covers the truth, frame by frame; `found` is false where there is none."""
    frames = len(seen)
    out = {
        "found": np.zeros(frames, bool),
        "keypoints": np.zeros((frames, 33, 3), np.float32),
        "world": np.zeros((frames, 33, 3), np.float16),
        "mask": np.zeros((frames, 64, 8), np.uint8),
        "mask_square": np.zeros((frames, 4), np.float32),
    }
    for f, (people, points) in enumerate(zip(seen, truth, strict=True)):
        box = np.concatenate([points.min(0), points.max(0)]).astype(np.float32)
        near = [p for p in people if overlaps(p.box[None], box[None])[0, 0] > 0.25]
        if near:
            person = near[0]
            out["found"][f] = True
            out["keypoints"][f] = person.keypoints
            out["world"][f] = person.world
            out["mask"][f] = np.packbits(person.mask > 127, axis=1)
            out["mask_square"][f] = person.mask_square
    return out
