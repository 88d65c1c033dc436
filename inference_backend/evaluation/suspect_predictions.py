"""The predictions that suspect scores are judged by, as `evaluate predict` writes them, and how far off they are."""

from __future__ import annotations

import dataclasses
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import BadArgument
from ..skeletons import JOINTS

Float = NDArray[np.floating]

WRONG: Final = 0.12
"""Metres from which a joint counts as wrong."""

RENDERED_FPS: Final = 30.0
"""Frames per second of the rendered clips."""


@dataclass(frozen=True)
class Predictions:
    """What the streams say of rendered clips, one after the other, and the truth. Camera frame, metres."""

    joints_lifted: Float
    """(F, 24, 3)"""
    joints_hmr: Float
    """(F, 24, 3)"""
    log_error: Float
    """(F, 24) natural log of metres."""
    reprojection: Float
    """(F, 24) as in `SuspectInputs`."""
    visibility: Float
    """(F, 24) 0-1."""
    joints_true: Float
    """(F, 24, 3)"""
    height: Float
    """(F,) metres, the same in all frames of a clip."""
    clip: NDArray[np.integer]
    """(F,) index of the clip that the frame is of; its frames follow each other in time."""
    joints_fitted: Float | None = None
    """(F, 24, 3) what the fit over the clip made of the lifted joints. Where given, these are judged, for they are what
    an artist sees; else the lifted ones."""


def load_predictions(path: Path) -> Predictions:
    """Read an .npz whose keys are the fields of `Predictions`; joints_fitted may be left out.

    Raises:
        BadArgument: no file, no readable archive, a key missing or of another shape, or values that are not finite.
    """
    hint = "Make the file with: python -m inference_backend evaluate predict"
    if not path.is_file():
        raise BadArgument(f"no predictions at {path}", hint=hint, path=str(path))
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = [field.name for field in dataclasses.fields(Predictions) if field.name in archive.files]
            arrays = {name: archive[name] for name in names}
    except (OSError, EOFError, ValueError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise BadArgument(f"{path.name} is no readable .npz: {error}", hint=hint, path=str(path)) from error
    for field in dataclasses.fields(Predictions):
        if field.name not in arrays and field.default is dataclasses.MISSING:
            raise BadArgument(f"{path.name} lacks {field.name}", hint=hint, path=str(path), key=field.name)
    frames = arrays["clip"].size
    for name, array in arrays.items():
        want: tuple[int, ...] = (frames, len(JOINTS), 3) if name.startswith("joints_") else (frames, len(JOINTS))
        want = (frames,) if name in ("height", "clip") else want
        if frames == 0 or array.shape != want or array.dtype.kind not in ("iu" if name == "clip" else "fiu"):
            trouble = f"{name} of {path.name} is {array.shape} {array.dtype}, want numbers of shape {want}, F > 0"
            raise BadArgument(trouble, hint=hint, path=str(path), key=name)
        if not np.isfinite(array).all():
            raise BadArgument(f"{name} of {path.name} has values that are not finite", hint=hint, key=name)
    return Predictions(**arrays)


def joint_errors(predictions: Predictions) -> NDArray[np.float64]:
    """Distance from the truth, pelvis on pelvis, metres. Shape: (F, 24)."""
    p = predictions
    judged = (p.joints_lifted if p.joints_fitted is None else p.joints_fitted).astype(np.float64)
    truth = p.joints_true.astype(np.float64)
    errors: NDArray[np.float64] = np.linalg.norm((judged - judged[:, :1]) - (truth - truth[:, :1]), axis=-1)
    return errors
