"""Takes whose truth is known, with the mistakes of monocular capture planted in them: what clean-up is judged on.

The motion is that of the rendered test set, played forth and back, slower towards the turns. Motion capture put on a
body of other proportions slides, so what is true is made from it: on a path on which the lowest sole stands still, on
the floor, and with both feet held where they then seem to stand, by the foot contact layer, until they do. That is
before anything is planted. True contacts are soles that rest on the floor.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..body import load_default_body
from ..body_points import PointRig
from ..errors import BadArgument
from ..geometry import axis_angle_to_matrix
from ..skeletons import JOINTS, LANDMARKS
from ..standing import SOLES, standing
from ..targets import foot_contact, quaternions
from ..targets.motion import Array, SkeletonMotion, local_quaternions
from ..targets.parameters import FootContact
from ..targets.source import SOLE_JOINTS, StackSource, sole_points
from ..world import world_matrix

Mask = NDArray[np.bool_]

FPS: Final = 30.0
SWEEP: Final = 72
"""Frames that the 48 of a clip are spread over, once forth and once back: as fast as they were in the middle."""

CATEGORIES: Final = ("walk", "everyday", "martial", "dance", "sports")
"""Motion that stands on the floor. Runs and jumps fly, climbers and gymnasts hold on to what is not in the data."""

REST_SPEED: Final = 0.02
REST_HEIGHT: Final = 0.01
"""m/s and metres below which a sole rests on the floor."""

HOLDS: Final = 4
"""Times that the feet are held one after the other: a foot that is held brings another to rest."""

CAMERA: Final = np.array([0.0, -4.0, 1.2])
"""Metres, world: it looks along +y."""


@dataclass(frozen=True, eq=False)
class PlantedTake:
    """One take: what is true, what a reconstruction would have said, and where it is wrong."""

    truth: SkeletonMotion
    """World, metres."""
    source: StackSource
    """What the layers get; its `fitted` has the mistakes."""
    soles: Array
    """(4, 3) heels and toe tips on the surface of the foot that meets the floor, as `StackSource.sole_offsets`, which
    are the landmarks inside the foot."""
    contacts: Mask
    """(F, 4) soles that rest on the floor from this frame to the next."""
    betas: NDArray[np.float32]
    """(1, 10) the body's shape."""
    wrong: Mask
    """(F, 24) joints whose own rotation is planted wrong; jitter and a wrong path are everywhere, and not marked."""

    def displaced(self, least: float) -> Mask:
        """Joints that what is marked has put out of their place by so many metres, the pelvis on its own. (F, 24)."""
        made, true = self.source.fitted.joints(), self.truth.joints()
        away = np.linalg.norm((made - made[:, :1]) - (true - true[:, :1]), axis=-1) > least
        return np.asarray(away & self.wrong.any(1, keepdims=True))


def takes(rendered: Path, count: int) -> list[PlantedTake]:
    """Takes without mistakes: the first clips of `CATEGORIES`, as many of each.

    Raises BadArgument for a file that is no set of rendered clips, or has none of these categories.
    """
    hint = "Make the file with: python -m inference_backend train render --test"
    try:
        with np.load(rendered) as archive:
            data = {name: archive[name] for name in ("pose", "root", "betas", "up", "category")}
    except (OSError, EOFError, KeyError, ValueError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        trouble = f"{rendered.name} is no set of rendered clips: {error}"
        raise BadArgument(trouble, hint=hint, path=str(rendered)) from error
    rows = [np.flatnonzero(data["category"] == category) for category in CATEGORIES]
    if not any(map(len, rows)):
        raise BadArgument(f"{rendered.name} has no clip of {', '.join(CATEGORIES)}", hint=hint, path=str(rendered))
    order = [int(row[k]) for k in range(max(map(len, rows))) for row in rows if k < len(row)]
    body = load_default_body()
    rig = PointRig.of_landmarks(body, as_seen=False)
    out = []
    for row in order[:count]:
        betas = torch.tensor(data["betas"][row : row + 1])
        vertices, joints = body.rest(betas)
        rest = joints[0].double().numpy()
        points = body.landmarks(vertices)[0, list(SOLES)].double().numpy()
        landmarks = points - rest[list(SOLE_JOINTS)]
        soles = landmarks.copy()
        soles[:, 1] += float(vertices[0, :, 1].min()) - points[:, 1]
        world = world_matrix(data["up"][row].astype(np.float64), 0.0, data["root"][row, 0].astype(np.float64))
        clip = SkeletonMotion.from_camera(data["root"][row], data["pose"][row], rest, world)
        out.append(_take(_there_and_back(clip), soles, landmarks, rig, betas, np.random.default_rng(row)))
    return out


def _there_and_back(clip: SkeletonMotion) -> SkeletonMotion:
    """The clip forth and back. The path stays as it is in the clip: it is made anew."""
    place = (len(clip) - 1) * (0.5 - 0.5 * np.cos(np.pi * np.arange(2 * SWEEP) / SWEEP))
    low = np.minimum(place.astype(int), len(clip) - 2)
    share = np.broadcast_to((place - low)[:, None], (len(place), len(JOINTS)))
    return SkeletonMotion(
        np.zeros((len(place), 3)),
        quaternions.between(clip.rotations[low], clip.rotations[low + 1], share),
        clip.rest_joints,
    )


def _take(
    motion: SkeletonMotion,
    soles: Array,
    landmarks: Array,
    rig: PointRig,
    betas: torch.Tensor,
    draw: np.random.Generator,
) -> PlantedTake:
    """`motion` on a path on which its feet stand. Shape: soles and landmarks (4, 3) from their joints."""
    places = sole_points(motion, soles)
    lowest = (places[1:, :, 2] + places[:-1, :, 2]).argmin(1)
    slide = np.diff(places, axis=0)[np.arange(len(lowest)), lowest]
    root = np.concatenate([np.zeros((1, 3)), -np.cumsum(slide, 0)])
    root[:, :2] -= root[:, :2].mean(0)
    root[:, 2] = -places[..., 2].min(1)
    truth = motion.changed(root=root)
    for _ in range(HOLDS):
        truth = foot_contact.layer(truth, _source(truth, landmarks, rig, betas, draw), FootContact(lift_heel=0.0))
    places = sole_points(truth, soles)
    speed = np.linalg.norm(np.diff(places, axis=0), axis=-1) * FPS
    rests = np.zeros(places.shape[:2], bool)
    rests[:-1] = (speed < REST_SPEED) & (places[:-1, :, 2] < REST_HEIGHT)
    source = _source(truth, landmarks, rig, betas, draw)
    return PlantedTake(truth, source, soles, rests, betas.numpy(), np.zeros((len(truth), len(JOINTS)), bool))


def _source(
    truth: SkeletonMotion, landmarks: Array, rig: PointRig, betas: torch.Tensor, draw: np.random.Generator
) -> StackSource:
    """What a reconstruction without mistakes would give the layers."""
    frames = (len(truth), len(JOINTS))
    return StackSource(
        fitted=truth,
        mesh_stream=_mesh_stream(truth, draw),
        visibility=np.full(frames, 0.95),
        suspect=np.zeros(frames),
        log_error=np.full(frames, np.log(0.08)),
        standing=_standing(truth, rig, betas, draw),
        seconds=np.arange(len(truth)) / FPS,
        camera=CAMERA,
        sole_offsets=landmarks,
        detected=np.ones(len(truth), bool),
    )


def _mesh_stream(truth: SkeletonMotion, draw: np.random.Generator) -> SkeletonMotion:
    """Another opinion, as noisy as the proxy's: each bone off by 8° throughout and by 4° from frame to frame."""
    turned = quaternions.from_matrix(truth.globals())
    off = np.radians(8) * draw.normal(size=(1, len(JOINTS), 3)) / np.sqrt(3)
    off = off + np.radians(4) * draw.normal(size=(len(truth), len(JOINTS), 3)) / np.sqrt(3)
    turned = quaternions.product(turned, quaternions.from_vector(off))
    root = truth.root + 0.05 * draw.normal(size=3) + 0.02 * draw.normal(size=truth.root.shape)
    return truth.changed(root=root, rotations=local_quaternions(quaternions.to_matrix(turned)))


def _standing(truth: SkeletonMotion, rig: PointRig, betas: torch.Tensor, draw: np.random.Generator) -> Array:
    """What `standing.standing` says of the landmarks in the picture, which are 0.6% of the stature off, steadily."""
    pose = axis_angle_to_matrix(torch.tensor(quaternions.to_vector(truth.rotations), dtype=torch.float32))
    joints, landmarks, _ = rig.pose(pose, betas)
    places = (landmarks - joints[:, :1]).double().numpy() + truth.root[:, None] - CAMERA
    error = draw.normal(size=(len(truth), len(LANDMARKS), 3))
    for frame in range(1, len(error)):
        error[frame] = 0.87 * error[frame - 1] + np.sqrt(1 - 0.87**2) * error[frame]
    places = places + 0.006 * 1.7 * error
    points = torch.tensor(places[..., [0, 2]] * [1, -1] / places[..., 1:2], dtype=torch.float32)
    return standing(points, torch.ones(points.shape[:2]), FPS).double().numpy()
