"""What the layers may look at: both streams of a take, how well each joint was seen, and what stands in the picture.

Nothing here is ever changed: a layer is given the motion so far and this, and gives another motion.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..skeletons import JOINTS
from . import quaternions
from .local_fit import LocalFit, fitted_changes
from .motion import Array, SkeletonMotion

STEADY_SECONDS: Final = 0.2
"""Half the width of the window in which the mesh stream, made frame by frame, is smoothed before a layer follows it."""

SOLE_JOINTS: Final = tuple(JOINTS.index(name) for name in ("left_ankle", "right_ankle", "left_foot", "right_foot"))
"""The joint that carries each sole point: left heel, right heel, left toe tip, right toe tip (`standing.SOLES`)."""


@dataclass(frozen=True, eq=False)
class StackSource:
    """F frames of one person. Metres, Blender's world; the camera is still. Other shapes raise ValueError."""

    fitted: SkeletonMotion
    """The fitted skeleton: where the stack starts."""
    mesh_stream: SkeletonMotion
    """The mesh stream's pose on the same rest joints."""
    visibility: Array
    """(F, 24) how well each joint was seen, 0 to 1."""
    suspect: Array
    """(F, 24) how likely each joint is wrong, 0 to 1."""
    log_error: Array
    """(F, 24) natural log of the error that the lifter expects of itself, metres."""
    standing: Array
    """(F, 4) how surely each sole point stands in the picture, 0 to 1, in the order of `standing.SOLES`."""
    seconds: Array
    """(F,) strictly increasing; the rate may vary."""
    camera: Array
    """(3,) the camera's place."""
    sole_offsets: Array
    """(4, 3) each sole point in the rest axes of its joint (`SOLE_JOINTS`), from that joint."""
    detected: NDArray[np.bool_]
    """(F,) a person was found in the frame."""

    def __post_init__(self) -> None:
        frames = len(self.fitted)
        sizes: dict[str, tuple[int, ...]] = {
            "visibility": (frames, 24), "suspect": (frames, 24), "log_error": (frames, 24), "standing": (frames, 4),
            "seconds": (frames,), "camera": (3,), "sole_offsets": (4, 3), "detected": (frames,),
        }  # fmt: skip
        if len(self.mesh_stream) != frames:
            raise ValueError(f"mesh_stream: found {len(self.mesh_stream)} frames, want {frames}")
        for field in fields(self):
            if field.name not in sizes:
                continue
            kind: Any = bool if field.name == "detected" else np.float64
            array = np.asarray(getattr(self, field.name), kind)
            if array.shape != sizes[field.name]:
                raise ValueError(f"{field.name}: found {array.shape}, want {sizes[field.name]}")
            object.__setattr__(self, field.name, array)
        if not (np.diff(self.seconds) > 0).all():
            raise ValueError("seconds: want strictly increasing times")

    def __len__(self) -> int:
        return len(self.fitted)

    @cached_property
    def seen(self) -> Array:
        """(F, 24) `visibility`, and 0 where nobody was detected."""
        return np.where(self.detected[:, None], self.visibility, 0.0)

    @cached_property
    def steady_mesh_globals(self) -> Array:
        """(F, 24, 4) rest frame → world: how the mesh stream turns each joint, smoothed."""
        turned = quaternions.from_matrix(self.mesh_stream.globals())
        return _steady(turned, self.seconds)

    @cached_property
    def steady_mesh_locals(self) -> Array:
        """(F, 24, 4) relative to the parents: how the mesh stream turns each joint, smoothed."""
        return _steady(self.mesh_stream.rotations, self.seconds)


def _steady(rotations: Array, seconds: Array) -> Array:
    change = fitted_changes(rotations, [LocalFit.of(seconds, STEADY_SECONDS)])[0]
    return quaternions.product(rotations, quaternions.from_vector(change))


def sole_points(motion: SkeletonMotion, sole_offsets: ArrayLike) -> Array:
    """Left heel, right heel, left toe tip, right toe tip. Shape: (4, 3) → (F, 4, 3) metres, world."""
    turned = motion.globals()
    places = motion.joints()[:, SOLE_JOINTS]
    offsets = np.asarray(sole_offsets, np.float64)
    return np.asarray(places + (turned[:, SOLE_JOINTS] @ offsets[..., None])[..., 0])
