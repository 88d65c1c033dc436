"""What the 2D estimator found so far, kept beside a take until it is finished, so that a killed job goes on from there.

A hidden folder holds one small file per run of frames. Runs are independent and of fixed length, so a job that goes on
finds what an undisturbed one would have found.
"""

from __future__ import annotations

import io
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .disk import replace_file, writing
from .errors import TakeCorrupt
from .estimators import FramePoses, PersonPose

Arrays = dict[str, npt.NDArray[Any]]

_ARRAYS: Final = (
    "index", "decoded", "frame", "person", "keypoints", "box", "presence", "placed", "world", "masked", "mask",
    "mask_square",
)  # fmt: skip
"""What a run's file holds: of its frames, of the people in them, of those people who have world landmarks or a mask."""


class DetectionStore:
    """A take's unfinished detections. Every method raises DiskFull or OutputNotWritable where the disk refuses.

    What later stages look at is kept as it was given, but for a mask, which becomes black and white. The estimator's
    relative depths are not kept.
    """

    def __init__(self, take: Path) -> None:
        """Of the take in this folder."""
        self.folder = take / ".detections"

    def clear(self) -> None:
        """Forget everything."""
        with writing(self.folder):
            if self.folder.exists():
                shutil.rmtree(self.folder)

    def add(self, position: int, frames: Sequence[FramePoses]) -> None:
        """Keep a run whose first frame is the clip's `position`-th."""
        file = io.BytesIO()
        np.savez(file, **_packed(frames))
        with writing(self.folder):
            self.folder.mkdir(exist_ok=True)
        replace_file(self._path(position), file.getvalue())

    def frames(self) -> Iterator[FramePoses]:
        """Every kept frame from the clip's first on, in order, up to the first run that is missing.

        Raises:
            TakeCorrupt: a run's file cannot be read.
        """
        position = 0
        while (path := self._path(position)).exists():
            run = _unpacked(_load(path))
            if not run:
                return
            yield from run
            position += len(run)

    def _path(self, position: int) -> Path:
        return self.folder / f"{position:09d}.npz"


def _packed(frames: Sequence[FramePoses]) -> dict[str, Any]:
    """A run as arrays: one row a frame, one row a person in a frame."""
    people = [(f, person) for f, frame in enumerate(frames) for person in frame.people]
    worlds = [(i, person.world) for i, (_, person) in enumerate(people) if person.world is not None]
    masks = [
        (i, p.mask, p.mask_square) for i, (_, p) in enumerate(people) if not (p.mask is None or p.mask_square is None)
    ]
    return {
        "index": np.array([frame.index for frame in frames], np.int64),
        "decoded": np.array([frame.decoded for frame in frames], bool),
        "frame": np.array([f for f, _ in people], np.int64),
        "person": np.array([person.person for _, person in people], np.int64),
        "keypoints": np.array([person.keypoints for _, person in people], np.float32),
        "box": np.array([person.box for _, person in people], np.float32),
        "presence": np.array([person.presence for _, person in people], np.float64),
        "placed": np.array([i for i, _ in worlds], np.int64),
        "world": np.array([world for _, world in worlds], np.float32),
        "masked": np.array([i for i, _, _ in masks], np.int64),
        "mask": np.packbits(np.array([mask for _, mask, _ in masks], np.uint8).reshape(-1, 64, 64) > 127, axis=-1),
        "mask_square": np.array([square for _, _, square in masks], np.float32),
    }


def _unpacked(run: Arrays) -> list[FramePoses]:
    """The frames of a run."""
    worlds = {int(i): row for row, i in enumerate(run["placed"])}
    masks = {int(i): row for row, i in enumerate(run["masked"])}
    people: list[list[PersonPose]] = [[] for _ in run["index"]]
    for i, frame in enumerate(run["frame"].tolist()):
        world, mask = worlds.get(i), masks.get(i)
        people[frame].append(
            PersonPose(
                person=int(run["person"][i]),
                keypoints=run["keypoints"][i],
                box=run["box"][i],
                presence=float(run["presence"][i]),
                world=None if world is None else run["world"][world],
                mask=None if mask is None else np.unpackbits(run["mask"][mask], axis=-1) * np.uint8(255),
                mask_square=None if mask is None else run["mask_square"][mask],
            )
        )
    rows = zip(run["index"].tolist(), run["decoded"].tolist(), people, strict=True)
    return [FramePoses(index, decoded, tuple(found)) for index, decoded, found in rows]


def _load(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in _ARRAYS}
    except (OSError, EOFError, KeyError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error) as fault:
        raise TakeCorrupt(
            f"{path} cannot be read: {fault}",
            hint="Delete this file: the same command then finds its frames again.",
            path=str(path),
        ) from fault
