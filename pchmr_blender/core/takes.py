# SPDX-License-Identifier: GPL-3.0-or-later
"""A take as Blender wants it: finished, and in Blender's world (metres, z up, floor at 0).

Arrays stay memory-mapped in the take's folder; what is large is converted in the rows that are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import TakeCorrupt
from ...inference_backend.frame_rates import runs_evenly
from ...inference_backend.skeletons import PARENTS
from ...inference_backend.take import Person, Take, open_take
from ...inference_backend.take_format import STAGES
from ...inference_backend.take_info import TakeInfo
from .axes import quaternions_to_matrices, y_up_to_blender


@dataclass(frozen=True, eq=False)
class Topology:
    """What no pose and no shape changes of the take's body."""

    faces: NDArray[np.int32]
    """(M, 4) vertices, counter-clockwise from outside; a triangle repeats its last vertex."""
    face_uvs: NDArray[np.int32]
    """(M, 4) rows of `uvs`."""
    uvs: NDArray[np.float32]
    """(U, 2)"""
    skin_joints: NDArray[np.int32]
    """(N, 4) joints that each vertex follows."""
    skin_weights: NDArray[np.float32]
    """(N, 4) rows sum to 1."""


class PersonView:
    """One person of a take. Blender's world and metres, where nothing else is said."""

    def __init__(self, person: Person, camera_to_world: NDArray[np.float64]) -> None:
        self._person = person
        self._turn, self._shift = camera_to_world[:3, :3], camera_to_world[:3, 3]
        self.index: int = person.info.index
        self.height: float = person.info.height

    @property
    def frame_count(self) -> int:
        """F"""
        return self._person.frames

    @property
    def vertex_count(self) -> int:
        """N"""
        return self._person.take.info.body.vertices

    @cached_property
    def frames(self) -> NDArray[np.int64]:
        """(F,) index in the footage, from 0."""
        return np.array(self._person.array("frames"))

    @cached_property
    def seconds(self) -> NDArray[np.float64]:
        """(F,) time in the footage; without what containers round away where the rate is even."""
        seconds, fps = np.array(self._person.array("seconds")), self._person.take.info.clip.fps
        return self.frames / fps if runs_evenly(self.frames, seconds, fps) else seconds

    @cached_property
    def rest_vertices(self) -> NDArray[np.float32]:
        """(N, 3) T-pose, z up, facing -y, the body's left at +x."""
        return np.asarray(y_up_to_blender(self._person.array("rest_vertices")), np.float32)

    @cached_property
    def rest_joints(self) -> NDArray[np.float32]:
        """(24, 3) joints of `rest_vertices`."""
        return np.asarray(y_up_to_blender(self._person.array("rest_joints")), np.float32)

    @cached_property
    def joints(self) -> NDArray[np.float32]:
        """(F, 24, 3) the calibrated mesh's joints."""
        return self._world("joints")

    @cached_property
    def joints_target(self) -> NDArray[np.float32]:
        """(F, 24, 3) the target pose."""
        return self._world("joints_target")

    @cached_property
    def joints_lifted(self) -> NDArray[np.float32]:
        """(F, 24, 3) the lifter's pose, before any layer of the target stack."""
        return self._world("joints_lifted")

    @cached_property
    def joints_hmr(self) -> NDArray[np.float32]:
        """(F, 24, 3) the mesh stream's pose."""
        return self._world("joints_hmr")

    @cached_property
    def points_target(self) -> NDArray[np.float32]:
        """(F, 11, 3) `skeletons.POINTS` of the target pose."""
        return self._world("points_target")

    @cached_property
    def root(self) -> NDArray[np.float32]:
        """(F, 3) the pelvis of the calibrated skeleton."""
        return self.joints[:, 0]

    @cached_property
    def rotations(self) -> NDArray[np.float64]:
        """(F, 24, 3, 3) global rotations of the calibrated skeleton: `rest_joints`' frame → world."""
        return self._globals("rotations")

    @cached_property
    def joints_base(self) -> NDArray[np.float32]:
        """(F, 24, 3) the target stack's pose before the artist's edits."""
        return self._world("joints_base")

    @cached_property
    def rotations_base(self) -> NDArray[np.float64]:
        """(F, 24, 3, 3) its global rotations: `rest_joints`' frame → world."""
        return self._globals("rotations_base")

    @cached_property
    def target_hash(self) -> NDArray[np.uint64]:
        """(F,) what the target rows were made from; 0: not made."""
        return np.array(self._person.array("target_hash"))

    @cached_property
    def calibrated_hash(self) -> NDArray[np.uint64]:
        """(F,) what the calibrated rows were made from; 0: not made."""
        return np.array(self._person.array("calibrated_hash"))

    @cached_property
    def row_hashes(self) -> NDArray[np.uint64]:
        """(F,) what the calibrated rows show: their `target_hash`, or 0 where they are half made."""
        hashes = self.target_hash.copy()
        hashes[self.calibrated_hash == 0] = 0
        return hashes

    @cached_property
    def suspect(self) -> NDArray[np.float32]:
        """(F, 24) how likely each joint is wrong, 0 to 1."""
        return np.array(self._person.array("suspect"))

    @cached_property
    def suspect_causes(self) -> NDArray[np.uint8]:
        """(F, 24, 6) how strong each of `take_format.SUSPECT_CAUSES` is, 0 to 255; 128 is one half."""
        return np.array(self._person.array("suspect_causes"))

    @cached_property
    def keypoints_2d(self) -> NDArray[np.float32]:
        """(F, 33, 3) x, y in pixels of the upright image, confidence."""
        return np.array(self._person.array("keypoints_2d"))

    def vertices(self, start: int, stop: int) -> NDArray[np.float32]:
        """The calibrated mesh in rows [start, stop). Shape: (n, N, 3)."""
        return self._placed(self._person.array("vertices")[start:stop])

    def vertices_hmr(self, start: int, stop: int) -> NDArray[np.float32]:
        """The mesh stream's mesh in rows [start, stop). Shape: (n, N, 3)."""
        return self._placed(self._person.array("vertices_hmr")[start:stop])

    def places(self, name: str, row: int) -> NDArray[np.float32]:
        """One row of an array of points, as the file has it now. Shape: (P, 3)."""
        return np.asarray(self._placed(self._person.array(name)[row : row + 1])[0])

    def _globals(self, name: str) -> NDArray[np.float64]:
        """Global rotations of local ones, quaternions w, x, y, z. Shape: (F, 24, 3, 3)."""
        local = quaternions_to_matrices(self._person.array(name))
        turned = np.empty_like(local)
        for joint, parent in enumerate(PARENTS):
            turned[:, joint] = (self._turn if parent < 0 else turned[:, parent]) @ local[:, joint]
        return y_up_to_blender(turned)  # the rows: as the rotation's argument, from Blender's axes

    def _world(self, name: str) -> NDArray[np.float32]:
        return self._placed(self._person.array(name))

    def _placed(self, points_cam: NDArray[Any]) -> NDArray[np.float32]:
        """Camera frame → world. Shape: (n, P, 3) → same.

        float32 all through: 13,718 vertices a frame, and 1e-6 m is enough. Four points a row, and the shift of a whole
        frame at once: numpy is five times faster on long rows than on rows of three.
        """
        points = np.asarray(points_cam)
        turn, shift = self._turn.astype(np.float32).T, self._shift.astype(np.float32)
        flat, placed = points.reshape(-1), np.empty(points.size, np.float32)
        whole = points.size // 12 * 12
        by_four = np.kron(np.eye(4, dtype=np.float32), turn)
        np.matmul(flat[:whole].reshape(-1, 12), by_four, out=placed[:whole].reshape(-1, 12))
        np.matmul(flat[whole:].reshape(-1, 3), turn, out=placed[whole:].reshape(-1, 3))
        rows = placed.reshape(len(points), points[:1].size)
        rows += np.tile(shift, points[:1].size // 3)
        return placed.reshape(points.shape)


class TakeView:
    """A finished take."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self.folder: Path = take.folder
        self.info: TakeInfo = take.info
        clip = take.info.clip
        self.width, self.height, self.fps, self.rotation = clip.width, clip.height, clip.fps, clip.rotation
        any_person = take.person(0)  # arrays of the take are reached through a person
        fx, fy, cx, cy = (float(value) for value in any_person.array("camera"))
        self.intrinsics: tuple[float, float, float, float] = (fx, fy, cx, cy)
        """fx, fy, cx, cy in pixels of the upright image; pixel centres at integer coordinates."""
        self.camera_to_world: NDArray[np.float64] = np.array(any_person.array("world"), np.float64)
        """(4, 4) OpenCV's camera (x right, y down, z forward) → Blender's world."""
        self.people: tuple[PersonView, ...] = tuple(PersonView(p, self.camera_to_world) for p in take.people)

    @cached_property
    def topology(self) -> Topology:
        """Faces, UVs and skinning of the take's body."""
        person = self._take.person(0)
        names = ("faces", "face_uvs", "uvs", "skin_joints", "skin_weights")
        return Topology(*(np.array(person.array(name)) for name in names))

    def clip_path(self) -> Path:
        """Where the footage is now. Raises ClipNotFound."""
        return self._take.clip_path()


def open_view(folder: Path) -> TakeView:
    """Open a finished take.

    Raises:
        TakeCorrupt: no take, a damaged one, or one whose job has not finished.
        TakeVersion: written by another version of the format.
    """
    take = open_take(folder)
    unfinished = [p.info.index for p in take.people if not p.finished(STAGES[-1])]
    if not take.people or unfinished:
        raise TakeCorrupt(
            f"the reconstruction of {folder} has not finished",
            hint="Reconstruct the clip again with the same settings: the job goes on where it stopped.",
            path=str(folder),
        )
    return TakeView(take)
