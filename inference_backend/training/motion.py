"""CMU motion on the default body's skeleton: global rotations relative to each file's T-pose, at 30 frames/s.

Positions and bone directions of the Daz figure are biased, so only rotations are taken: for joint j of frame t,
G_t = R_t R_refᵀ C, where R_ref is the file's reference pose and C turns our T-pose's limb onto the reference's.

    python -m inference_backend train motion --cmu FOLDER
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..skeletons import JOINTS, PARENTS
from .bake_body import T_POSE_DIRECTIONS, swing
from .bvh import Bvh, read_bvh

Array = npt.NDArray[np.float64]

FPS = 30.0

TEST_SUBJECTS = (2, 8, 10, 14, 49, 94)
"""Held out of every training: each category of the database occurs in them, none shares a performer with the rest."""

LEFT_OUT = ("daz/09_10", "daz/05_05", "daz/05_06", "daz/05_16", "daz/05_17", "daz/60_06", "daz/60_07")
"""Clips whose feet or head are broken by their packaging."""


@dataclass(frozen=True)
class Rig:
    """How one packaging's joints map onto ours."""

    joints: dict[str, str | tuple[str, str]]
    """Our joint (centre and left side) → its joint, or two joints to halve between; the right side by `mirror`."""
    mirror: tuple[str, str]
    """What to replace in a left joint's name to get the right one."""
    reference: str
    """"first" = frame 0 is the T-pose, "zero" = the pose without any rotation is the reference."""
    upright: Array
    """(3, 3) the file's axes → y up, facing +z."""
    align_limbs: bool
    """Whether the reference's limbs differ from a T-pose, so that C is needed."""


_UP = np.eye(3)
RIGS = {
    "daz": Rig(
        {"pelvis": "hip", "spine1": ("hip", "abdomen"), "spine2": "abdomen", "spine3": "chest", "neck": "neck",
         "head": "head", "hip": "lThigh", "knee": "lShin", "ankle": "lFoot", "collar": "lCollar",
         "shoulder": "lShldr", "elbow": "lForeArm", "wrist": "lHand"},
        ("l", "r"), "first", _UP, align_limbs=False,
    ),
    "max": Rig(
        {"pelvis": "Hips", "spine1": ("Hips", "Chest"), "spine2": "Chest", "spine3": "Chest2", "neck": "Neck",
         "head": "Head", "hip": "LeftHip", "knee": "LeftKnee", "ankle": "LeftAnkle", "collar": "LeftCollar",
         "shoulder": "LeftShoulder", "elbow": "LeftElbow", "wrist": "LeftWrist"},
        ("Left", "Right"), "zero", _UP, align_limbs=True,
    ),
    "mb": Rig(
        {"pelvis": "Hips", "spine1": "LowerBack", "spine2": "Spine", "spine3": "Spine1", "neck": "Neck",
         "head": "Head", "hip": "LeftUpLeg", "knee": "LeftLeg", "ankle": "LeftFoot", "collar": "LeftShoulder",
         "shoulder": "LeftArm", "elbow": "LeftForeArm", "wrist": "LeftHand"},
        ("Left", "Right"), "zero", np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]), align_limbs=True,
    ),
    "neo": Rig(
        {"pelvis": "Neo_Hips", "spine1": "Neo_Spine", "spine2": "Neo_Spine1", "spine3": "Neo_Spine2",
         "neck": "Neo_Neck", "head": "Neo_Head", "hip": "Neo_LeftUpLeg", "knee": "Neo_LeftLeg",
         "ankle": "Neo_LeftFoot", "collar": "Neo_LeftShoulder", "shoulder": "Neo_LeftArm",
         "elbow": "Neo_LeftForeArm", "wrist": "Neo_LeftHand"},
        ("Left", "Right"), "zero", np.diag([-1.0, 1, -1]), align_limbs=True,
    ),
}  # fmt: skip


def pack(cmu: Path, out: Path) -> dict[str, float]:
    """Reads every clip of the folder's `clips.csv` and writes one file of arrays; returns seconds per category.

    The file holds `rotations` (F, 24, 3, 3) local, float32; `root` (F, 3) metres, y up, floor near 0; and per clip
    `start`, `frames`, `name`, `subject`, `category`.
    """
    suspects = json.loads((cmu / "suspect_frames.json").read_text())
    rows, rotations, roots = [], [], []
    with (cmu / "clips.csv").open(newline="") as file:
        clips = list(csv.DictReader(file))
    for clip in clips:
        name = clip["path"].removesuffix(".bvh.gz")
        if name in LEFT_OUT:
            continue
        bvh = read_bvh(cmu / clip["path"])
        first = int(clip["first_usable_frame"])
        good = np.ones(len(bvh.rotations), bool)
        good[:first] = False
        good[[i for i in suspects.get(clip["path"], []) if i < len(good)]] = False
        G, root = retarget(bvh, RIGS[clip["skeleton"]], float(clip["cm_per_unit"]) / 100)
        step = float(clip["fps"]) / FPS
        for start, stop in runs(good & within_limits(G), minimum=int(20 * step)):
            at = np.arange(start, stop - 1, step)
            rows.append((name, int(clip["subject"]), clip["category"], len(at)))
            rotations.append(local_rotations(G[np.round(at).astype(int)]).astype(np.float32))
            roots.append(root[np.round(at).astype(int)].astype(np.float32))
    names, subjects, categories, frames = zip(*rows, strict=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        out,
        rotations=np.concatenate(rotations),
        root=np.concatenate(roots),
        name=np.array(names),
        subject=np.array(subjects),
        category=np.array(categories),
        frames=np.array(frames),
        start=np.concatenate([[0], np.cumsum(frames)[:-1]]),
    )
    seconds: dict[str, float] = {}
    for category, count in zip(categories, frames, strict=True):
        seconds[category] = seconds.get(category, 0) + count / FPS
    return seconds


def retarget(bvh: Bvh, rig: Rig, metres_per_unit: float) -> tuple[Array, Array]:
    """Global rotations (F, 24, 3, 3) relative to our T-pose, and the root's path (F, 3) in metres, y up."""
    index = {name: i for i, name in enumerate(bvh.names)}
    identity = np.tile(np.eye(3), (1, len(bvh.names), 1, 1))
    reference = bvh.rotations[:1] if rig.reference == "first" else identity
    places = bvh.positions(reference)[0] @ rig.upright.T
    turned = rig.upright @ (bvh.rotations @ reference[0].transpose(0, 2, 1)) @ rig.upright.T
    G = np.zeros((len(turned), len(JOINTS), 3, 3))
    for j, joint in enumerate(JOINTS):
        source = source_joint(rig, joint)
        if isinstance(source, tuple):
            G[:, j] = halfway(turned[:, index[source[0]]], turned[:, index[source[1]]])
            continue
        G[:, j] = turned[:, index[source]]
        wanted = T_POSE_DIRECTIONS.get(joint)
        child = PARENTS.index(j) if wanted is not None else -1
        child_source = source_joint(rig, JOINTS[child]) if child > 0 else source
        if rig.align_limbs and wanted is not None and isinstance(child_source, str) and child_source != source:
            G[:, j] = G[:, j] @ swing(np.array(wanted, float), places[index[child_source]] - places[index[source]])
        elif rig.align_limbs and joint.endswith(("wrist", "hand")):
            # The hand lies along the forearm in the reference: it takes the forearm's alignment.
            elbow = index[str(source_joint(rig, joint.replace("wrist", "elbow").replace("hand", "elbow")))]
            along = places[index[source]] - places[elbow]
            G[:, j] = G[:, j] @ swing(np.array(T_POSE_DIRECTIONS[joint.split("_")[0] + "_elbow"], float), along)
    return G, bvh.root @ rig.upright.T * metres_per_unit


def source_joint(rig: Rig, joint: str) -> str | tuple[str, str]:
    """The file's joint for one of ours; toes turn with the foot, knuckles with the wrist."""
    side, _, part = joint.partition("_")
    if side not in ("left", "right"):
        return rig.joints[joint]
    name = rig.joints[{"foot": "ankle", "hand": "wrist"}.get(part, part)]
    return name if side == "left" else str(name).replace(*rig.mirror, 1)


def halfway(a: Array, b: Array) -> Array:
    """The rotation in the middle of two that are near each other. Shape: (F, 3, 3) twice → (F, 3, 3)."""
    U, _, Vh = np.linalg.svd(a + b)
    return np.asarray(U @ Vh)


def local_rotations(global_rotations: Array) -> Array:
    """Global → relative to the parent. Shape: (F, 24, 3, 3)."""
    local = global_rotations.copy()
    parents = np.array(PARENTS[1:])
    local[:, 1:] = np.swapaxes(global_rotations[:, parents], -1, -2) @ global_rotations[:, 1:]
    return local


def within_limits(global_rotations: Array) -> npt.NDArray[np.bool_]:
    """Frames whose neck, head, feet and wrists turn no further than a person's (100°, feet 75°). Shape: (F,)."""
    local = local_rotations(global_rotations)
    trace = np.trace(local, axis1=-2, axis2=-1)
    angle = np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))
    limit = {"neck": 100, "head": 100, "left_ankle": 75, "right_ankle": 75, "left_wrist": 110, "right_wrist": 110}
    return np.asarray(np.all([angle[:, JOINTS.index(name)] < most for name, most in limit.items()], axis=0))


def runs(good: npt.NDArray[np.bool_], minimum: int) -> list[tuple[int, int]]:
    """Stretches [start, stop) of True that are at least `minimum` long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(np.int8), [0]])))
    return [(a, b) for a, b in edges.reshape(-1, 2).tolist() if b - a >= minimum]
