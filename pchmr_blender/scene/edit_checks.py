# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist may do to a control, and the backend cannot follow: told with the bone and the frame."""

from __future__ import annotations

from dataclasses import fields

import bpy
import numpy as np
from numpy.typing import NDArray

from ...inference_backend.errors import BadArgument
from ...inference_backend.targets.edit_values import LARGEST
from ..core.edit_rows import EditRows
from ..core.skeleton import BONE_NAMES


def require_sane(edits: EditRows, frames: NDArray[np.float64]) -> None:
    """Raise BadArgument where the backend would: it cannot name the frame."""
    for field in fields(EditRows):
        values = getattr(edits, field.name).reshape(len(edits), len(BONE_NAMES), -1)
        wrong = ~np.isfinite(values)
        if field.name == "offset":
            wrong |= np.abs(values) > LARGEST
        if wrong.any():
            size = np.where(np.isfinite(values), np.abs(values), np.inf).max(-1)
            row, joint = np.unravel_index(np.argmax(size), size.shape)
            raise BadArgument(
                f"{_in_words(BONE_NAMES[joint], field.name, size[row, joint])} at frame {frames[row]:g}",
                hint="Undo the edit, move the control back, or revert this frame.",
                bone=BONE_NAMES[joint],
                frame=float(frames[row]),
            )


def _in_words(bone: str, name: str, size: float) -> str:
    """What an edit that nobody can mean does to a bone."""
    return f"{bone} is moved by {size:g} m" if np.isfinite(size) else f"the {name} of {bone} is no number"


def require_quaternions(bone: bpy.types.PoseBone) -> None:
    """Raise BadArgument for a control that turns by anything else."""
    if bone.rotation_mode != "QUATERNION":
        raise BadArgument(
            f"{bone.name} turns by {bone.rotation_mode}, and edits are quaternions",
            hint=f"Set the rotation mode of {bone.name} to Quaternion (WXYZ), in the sidebar's Item tab.",
            bone=bone.name,
        )
