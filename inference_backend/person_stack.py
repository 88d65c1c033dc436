"""One person's target stack: from the take's sources to rows of its stage "target"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .body import load_default_body
from .body_points import PointRig
from .geometry import axis_angle_to_matrix
from .sightings import mean_fps
from .skeletons import POINT_JOINTS, POINT_LANDMARKS
from .standing import SOLES, standing
from .take import Person
from .take_format import target_hashes
from .targets import quaternions
from .targets.edits import Edits, TargetPose, apply_edits
from .targets.motion import SkeletonMotion
from .targets.parameters import Layers
from .targets.source import SOLE_JOINTS, StackSource
from .targets.stack import Stacked, apply_layers

Rows = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Sources:
    """What a take keeps of a person over F frames, as its arrays of the same names. Camera frame, metres."""

    pose_fitted: NDArray[np.float32]
    root_fitted: NDArray[np.float32]
    pose: NDArray[np.float32]
    root_hmr: NDArray[np.float32]
    """(F, 3) the pelvis of `joints_hmr`."""
    keypoints_2d: NDArray[np.float32]
    seconds: NDArray[np.float64]
    visibility_joints: NDArray[np.float32]
    log_error: NDArray[np.float32]
    suspect: NDArray[np.float32]
    betas: NDArray[np.float32]
    rest_joints: NDArray[np.float32]
    camera: NDArray[np.float32]
    world: NDArray[np.float32]

    @classmethod
    def of(cls, person: Person) -> Sources:
        """Of a finished person of an opened take."""
        names = [name for name in cls.__dataclass_fields__ if name != "root_hmr"]
        arrays = {name: np.array(person.array(name)) for name in names}
        return cls(root_hmr=np.array(person.array("joints_hmr")[:, 0]), **arrays)


class PersonStack:
    """The sources as the layers want them, and what the layers make of them."""

    def __init__(self, sources: Sources) -> None:
        self._world = sources.world.astype(np.float64)
        self._betas = torch.tensor(sources.betas)[None]
        self._rig = point_rig()
        self.source = self._source(sources)
        self._stacked: tuple[Layers, Stacked] | None = None

    def __len__(self) -> int:
        return len(self.source)

    def base(self, layers: Layers) -> SkeletonMotion:
        """The pose before the artist's edits, in the world."""
        return self._made(layers, reports=False).motion

    def stacked(self, layers: Layers) -> Stacked:
        """All that the layers make of the sources, and what each of them did."""
        return self._made(layers, reports=True)

    def _made(self, layers: Layers, *, reports: bool) -> Stacked:
        """The last one is remembered."""
        known = self._stacked
        if known is None or known[0] != layers or (reports and not known[1].reports):
            known = self._stacked = layers, apply_layers(self.source, layers, reports=reports)
        return known[1]

    def rows(self, layers: Layers, frames: NDArray[np.int64], edits: Edits) -> dict[str, NDArray[Any]]:
        """The rows of the stage "target", its hash included. Shape: frames (n,) row numbers, n edits."""
        whole = self.base(layers)
        base = SkeletonMotion(whole.root[frames], whole.rotations[frames], whole.rest_joints)
        pose = apply_edits(base, edits)
        _, local = base.to_camera(self._world)
        joints, points = self.target(pose)
        return {
            "joints_base": self._to_camera(base.joints()),
            "rotations_base": quaternions.from_vector(local),
            "joints_target": joints,
            "points_target": points,
            "twist_target": pose.twist,
            "strength": pose.strength,
            "target_hash": hashes_of(layers, edits),
        }

    def target(self, pose: TargetPose) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Joints (n, 24, 3) and points (n, 11, 3) of a target pose, camera frame, metres."""
        root, local = pose.motion.to_camera(self._world)
        with torch.no_grad():
            rotations = axis_angle_to_matrix(torch.tensor(local, dtype=torch.float32))
            joints, landmarks, _ = self._rig.pose(rotations, self._betas)
        shift = root[:, None] - joints[:, :1].numpy()
        wanted = self._to_camera(pose.joints)
        # A stretched bone takes the points of its end along.
        stretched = (wanted - joints.numpy() - shift)[:, list(POINT_JOINTS)]
        points = landmarks[:, list(POINT_LANDMARKS)].numpy() + shift + stretched
        return wanted.astype(np.float32), points.astype(np.float32)

    def point_arms(self) -> NDArray[np.float64]:
        """(72, 11) what leads from the joints that the points go with to the points: of all global rotations
        R (24, 3, 3), the columns of one joint after the other's, a point is its joint + R @ arms."""
        arms = self._rig.shaped(self._betas[0]).arms.numpy().astype(np.float64)
        joints = arms.shape[0] // 3
        return np.asarray(arms[:, [joints + point for point in POINT_LANDMARKS]] - arms[:, list(POINT_JOINTS)])

    def _to_camera(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((places - self._world[:3, 3]) @ self._world[:3, :3])

    def _source(self, sources: Sources) -> StackSource:
        rest = torch.eye(3).expand(1, 24, 3, 3)
        joints, landmarks, _ = self._rig.pose(rest, self._betas)
        soles = landmarks[0, list(SOLES)] - joints[0, list(SOLE_JOINTS)]
        f, c = sources.camera[:2], sources.camera[2:]
        points = torch.tensor((sources.keypoints_2d[..., :2] - c) / f, dtype=torch.float32)
        confidence = torch.tensor(sources.keypoints_2d[..., 2])
        shape = sources.rest_joints, sources.world
        return StackSource(
            fitted=SkeletonMotion.from_camera(sources.root_fitted, sources.pose_fitted, *shape),
            mesh_stream=SkeletonMotion.from_camera(sources.root_hmr, sources.pose, *shape),
            visibility=sources.visibility_joints.astype(np.float64),
            suspect=sources.suspect.astype(np.float64),
            log_error=sources.log_error.astype(np.float64),
            standing=standing(points, confidence, mean_fps(sources.seconds)).numpy().astype(np.float64),
            seconds=sources.seconds,
            camera=self._world[:3, 3],
            sole_offsets=soles.numpy().astype(np.float64),
            detected=sources.keypoints_2d[..., 2].max(1) > 0,
        )


def hashes_of(layers: Layers, edits: Edits) -> NDArray[np.uint64]:
    """`target_hash` of rows. Shape: n edits → (n,)."""
    return target_hashes(layers.canonical(), edits.offset, edits.turn, edits.stretch, edits.strength)


@lru_cache(maxsize=1)
def point_rig() -> PointRig:
    """The default body's landmarks at their anatomical places."""
    return PointRig.of_landmarks(load_default_body(), as_seen=False)
