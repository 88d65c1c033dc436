"""Model files of the user's own: what a file is, whether it is sound, and its copy in the models folder.

A file is known by its content, not by its name. Nothing of it is run, and nothing is added that fails a check.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from .disk import writing
from .errors import BadArgument, WeightsMissing
from .weights import REGISTRY, Model, file_sha256, model_file, models_folder

_BODIES: Final = (".pkl", ".npz")
_CHECKPOINTS: Final = (".bin", ".pt", ".pth", ".tar")


def identify(path: Path) -> Model:
    """Which of the user-supplied models a file is, after all checks.

    Raises:
        WeightsMissing: there is no such file.
        WeightsCorrupt, UnsafePickle, BodyInvalid: its content is not what it should be.
        BadArgument: its name ends in nothing that is known.
    """
    if not path.is_file():
        raise WeightsMissing(f"there is no file {path}", hint="Give the path of your model file.", path=str(path))
    if path.suffix in _BODIES:
        from .smpl_files import load_smpl

        return REGISTRY[load_smpl(path).name]
    if path.suffix in _CHECKPOINTS:
        from .checkpoint_files import load_videopose3d

        load_videopose3d(path)
        return REGISTRY["videopose3d"]
    known = ", ".join(_BODIES + _CHECKPOINTS)
    raise BadArgument(f"{path.name} is no model file", hint=f"Known are files that end in {known}.", path=str(path))


def add(path: Path, *, replace: bool = False) -> Model:
    """Copy a user's file to its place, in one step; which model it is.

    Raises as `identify`; BadArgument where another file is there and shall stay; OutputNotWritable, DiskFull.
    """
    model = identify(path)
    there = model_file(model)
    if there.is_file():
        if file_sha256(there) == file_sha256(path):
            return model
        if not replace:
            raise BadArgument(
                f"another file is there already as {model.name}: {there}",
                hint="Have yours put in its place (--replace), or delete that file.",
                path=str(there),
            )
    target = models_folder() / model.file_name
    if model.other_suffix:
        target = target.with_suffix(path.suffix)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part:
            partial = Path(part.name)
        try:
            shutil.copyfile(path, partial)
            partial.chmod(0o644)  # temporary files are their maker's only
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        if there != target:
            there.unlink(missing_ok=True)
    return model
