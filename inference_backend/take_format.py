"""The arrays of a take: one table, from which checks on reading, files on writing and the documentation follow.

A take is a folder that outlives the processes that write and read it:

    juggling.take/
        take.json           what was solved, how, and how far (`take_info.py`)
        take.lock           held by the process that writes; empty otherwise
        camera.npy …        arrays of the whole take
        person_0/*.npy      arrays of one person

Standard library and numpy only: Blender's add-on imports this module.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

STAGES: Final = ("estimate", "lift", "mesh", "fit", "suspects", "target", "calibrate")
"""What makes the arrays, in the order of the pipeline. Progress is kept per person and stage."""

SYMBOLS: Final = {"J": 24, "K": 33, "P": 11, "C": 6}
"""Fixed sizes: joints, landmarks, extra points (orders in `skeletons.py`), suspect causes. F, N, M and U vary."""

SUSPECT_CAUSES: Final = ("streams_disagree", "reprojection", "bone_length", "jerk", "visibility", "lifter_error")
"""The order of the last axis of `suspect_causes`."""


@dataclass(frozen=True)
class ArraySpec:
    """One row of the table."""

    name: str
    """File name without `.npy`."""
    stage: str
    """Which of `STAGES` makes it."""
    shape: tuple[str | int, ...]
    """Sizes: numbers, symbols of `SYMBOLS`, F (frames of the person), N, M, U (the body's vertices, faces, UVs)."""
    dtype: str
    """numpy's type string, byte order included."""
    unit: str
    frame: str
    """Coordinate frame, or what the numbers are relative to."""
    description: str
    scope: Literal["person", "take"] = "person"
    """Whether there is one per person or one per take."""

    @property
    def per_frame(self) -> bool:
        """Whether it has a row a frame, written as the job goes; the others are written whole."""
        return self.shape[0] == "F"

    def sized(self, rows: int, vertices: int, faces: int = 0, uvs: int = 0) -> tuple[int, ...]:
        """The shape in numbers, for `rows` frames and a body of these sizes."""
        sizes = {**SYMBOLS, "F": rows, "N": vertices, "M": faces, "U": uvs}
        return tuple(size if isinstance(size, int) else sizes[size] for size in self.shape)

    def nbytes(self, shape: tuple[int, ...]) -> int:
        """Size of the data in bytes."""
        return math.prod(shape) * np.dtype(self.dtype).itemsize

    def header(self, shape: tuple[int, ...]) -> bytes:
        """The `.npy` header, magic included; the data follows it."""
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(stream, {"descr": self.dtype, "fortran_order": False, "shape": shape})
        return stream.getvalue()

    def converted(self, value: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
        """`value` as a contiguous array of this type. ValueError for another shape or a type that does not fit."""
        array = np.asarray(value)
        if array.shape != shape or not np.can_cast(array.dtype, self.dtype, "same_kind"):
            raise ValueError(f"{self.name}: wanted {shape} {self.dtype}, found {array.shape} {array.dtype.str}")
        return np.ascontiguousarray(array, self.dtype)


_CAM = "camera (OpenCV)"
_ROWS: Final[tuple[tuple[str, str, tuple[str | int, ...], str, str, str, str], ...]] = (
    ("frames", "estimate", ("F",), "<i8", "1", "footage", "index of the frame in the footage, from 0"),
    ("seconds", "estimate", ("F",), "<f8", "s", "footage", "time of the frame; its rate may vary"),
    ("keypoints_2d", "estimate", ("F", "K", 3), "<f4", "px, 0-1", "upright image", "x, y, confidence by landmark"),
    ("world_landmarks", "estimate", ("F", "K", 3), "<f4", "m", "hips, camera's axes", "the estimator's 3D landmarks"),
    ("joints_lifted", "lift", ("F", "J", 3), "<f4", "m", _CAM, "the lifter's joints"),
    ("points_lifted", "lift", ("F", "P", 3), "<f4", "m", _CAM, "the lifter's extra points"),
    ("visibility_joints", "lift", ("F", "J"), "<f4", "0-1", "", "how well each joint was seen"),
    ("log_error", "lift", ("F", "J"), "<f4", "ln m", "", "log of the error the lifter expects of itself"),
    ("pose", "mesh", ("F", "J", 3), "<f4", "rad", "parent joint; root: camera", "the mesh stream's pose as axis-angle"),
    ("rest_vertices", "mesh", ("N", 3), "<f4", "m", "body", "T-pose of `betas`: y up, facing +z, x to the body's left"),
    ("rest_joints", "mesh", ("J", 3), "<f4", "m", "body", "joints of `rest_vertices`"),
    ("betas", "mesh", (10,), "<f4", "1", "body", "shape coefficients, one set for the clip"),
    ("translation", "mesh", ("F", 3), "<f4", "m", _CAM, "added to the body of `pose`, `betas`: gives `vertices_hmr`"),
    ("joints_hmr", "mesh", ("F", "J", 3), "<f4", "m", _CAM, "joints of the mesh stream"),
    ("vertices_hmr", "mesh", ("F", "N", 3), "<f4", "m", _CAM, "vertices of the mesh stream"),
    ("pose_fitted", "fit", ("F", "J", 3), "<f4", "rad", "parent joint; root: camera", "the skeleton that was fitted"),
    ("root_fitted", "fit", ("F", 3), "<f4", "m", _CAM, "its pelvis: with `pose_fitted` the start of the target stack"),
    ("joints_base", "target", ("F", "J", 3), "<f4", "m", _CAM, "the target stack's pose before the artist's edits"),
    ("rotations_base", "target", ("F", "J", 4), "<f4", "1", "parent joint; root: camera", "its skeleton: w, x, y, z"),
    ("joints_target", "target", ("F", "J", 3), "<f4", "m", _CAM, "the target pose: top of the target stack"),
    ("points_target", "target", ("F", "P", 3), "<f4", "m", _CAM, "what turns head, hands and feet"),
    ("twist_target", "target", ("F", "J"), "<f4", "rad", "own bone", "the artist's turns of limbs about themselves"),
    ("strength", "target", ("F", "J"), "<f4", "0-1", "", "0 keeps the mesh stream's rotation, 1 takes the target's"),
    ("target_hash", "target", ("F",), "<u8", "1", "", "what the target row was made from; 0: make it again"),
    ("vertices", "calibrate", ("F", "N", 3), "<f4", "m", _CAM, "the calibrated mesh"),
    ("joints", "calibrate", ("F", "J", 3), "<f4", "m", _CAM, "the calibrated mesh's joints"),
    ("rotations", "calibrate", ("F", "J", 4), "<f4", "1", "parent joint; root: camera", "its skeleton, as w, x, y, z"),
    ("calibrated_hash", "calibrate", ("F",), "<u8", "1", "", "what the calibrated row was made from; 0: make it again"),
    ("suspect", "suspects", ("F", "J"), "<f4", "0-1", "", "how likely the joint is wrong"),
    ("suspect_causes", "suspects", ("F", "J", "C"), "|u1", "1/255", "", "score of each of `SUSPECT_CAUSES`"),
)  # fmt: skip
_WHOLE: Final[tuple[tuple[str, str, tuple[str | int, ...], str, str, str, str], ...]] = (
    ("camera", "mesh", (4,), "<f4", "px", "upright image", "fx, fy, cx, cy of the pinhole; pixel centres are integers"),
    ("faces", "mesh", ("M", 4), "<i4", "1", "", "vertices of each face; a triangle repeats its last one"),
    ("face_uvs", "mesh", ("M", 4), "<i4", "1", "", "rows of `uvs` at the corners of each face"),
    ("uvs", "mesh", ("U", 2), "<f4", "1", "texture", "texture coordinates"),
    ("skin_joints", "mesh", ("N", 4), "<i4", "1", "", "joints that each vertex follows"),
    ("skin_weights", "mesh", ("N", 4), "<f4", "1", "", "how much; rows sum to 1"),
    ("world", "target", (4, 4), "<f4", "m", "Blender world from camera", "rigid; z is up, the floor is at 0"),
)

ARRAYS: Final[Mapping[str, ArraySpec]] = {
    **{row[0]: ArraySpec(*row) for row in _ROWS},
    **{row[0]: ArraySpec(*row, scope="take") for row in _WHOLE},
}
"""Every array a take may hold, by name."""

HASH_OF_STAGE: Final = {"target": "target_hash", "calibrate": "calibrated_hash"}
"""The derived stages and the array that says what each of their rows was made from. The other stages' rows are
sources: written once, never overwritten."""


def in_order(*names: Collection[str]) -> tuple[str, ...]:
    """The arrays of these names as they stand in the table, each once."""
    wanted = set().union(*names)
    return tuple(name for name in ARRAYS if name in wanted)


def format_table() -> str:
    """The table of arrays as Markdown, for the documentation and `--help`."""
    lines = ["| array | of | shape | type | unit | frame | made by | what |", "|---|---|---|---|---|---|---|---|"]
    for spec in ARRAYS.values():
        shape = "×".join(str(size) for size in spec.shape)
        dtype = np.dtype(spec.dtype).name
        lines.append(
            f"| `{spec.name}` | {spec.scope} | {shape} | {dtype} | {spec.unit} | {spec.frame} | {spec.stage} "
            f"| {spec.description} |"
        )
    return "\n".join(lines)


def row_hashes(parameters: str, *arrays: NDArray[Any]) -> NDArray[np.uint64]:
    """Hash of what each row is made from, for `target_hash` and `calibrated_hash`.

    Args:
        parameters: what holds for all rows: settings, versions, weights' sha256.
        arrays: (F, ...) each, any dtype: what differs by row. A layer that looks at neighbouring frames needs
            rows that hold them.

    Returns:
        (F,) uint64, never 0, which stands for "not made".
    """
    if not arrays or len({len(array) for array in arrays}) != 1:
        raise ValueError(f"row_hashes wants arrays of one length, found lengths {[len(array) for array in arrays]}")
    start = hashlib.blake2b(parameters.encode(), digest_size=8)
    for array in arrays:
        start.update(f"|{array.dtype.str}{array.shape[1:]}".encode())
    hashes = np.empty(len(arrays[0]), np.uint64)
    for row in range(len(hashes)):
        digest = start.copy()
        for array in arrays:
            digest.update(np.ascontiguousarray(array[row]).tobytes())
        hashes[row] = max(1, int.from_bytes(digest.digest(), "little"))
    return hashes


def target_hashes(
    layers: str, offset: NDArray[Any], turn: NDArray[Any], stretch: NDArray[Any], strength: NDArray[Any]
) -> NDArray[np.uint64]:
    """`target_hash` of rows: what the target stack and the artist make of them.

    Both sides of the wire count it: the add-on from its .blend, the backend when it makes the rows. Where they differ
    the row is made again.

    Args:
        layers: the stack's parameters as canonical JSON.
        offset: (n, 24, 3), turn: (n, 24, 4), stretch: (n, 24), strength: (n, 24): `targets.edits.Edits` of the rows.
    """
    # Micrometres: what is less is the curves' arithmetic, not an edit.
    parts = offset, turn, stretch, strength
    return row_hashes(layers, *(np.rint(np.asarray(part, np.float64) * 1e6).astype(np.int64) for part in parts))
