"""What the 2D estimator found so far, kept beside a take until it is finished, so that a killed job goes on from there.

A hidden folder holds one small file per run of frames. Runs are independent and of fixed length, so a job that goes on
finds what an undisturbed one would have found.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .disk import replace_file, writing
from .errors import TakeCorrupt
from .estimators import FramePoses, PersonPose

class DetectionStore:
    """A take's unfinished detections. Every method raises DiskFull or OutputNotWritable where the disk refuses."""

    def __init__(self, take: Path) -> None:
        self.folder = take / ".detections"

    def clear(self) -> None:
        """Forget everything."""
        with writing(self.folder):
            if self.folder.exists():
                shutil.rmtree(self.folder)

    def add(self, position: int, frames: list[FramePoses]) -> None:
        """Keep a run whose first frame is the clip's `position`-th."""
        people = [(f, person) for f, frame in enumerate(frames) for person in frame.people]
        kept = [i for i, (_, person) in enumerate(people) if person.mask is not None]
        file = io.BytesIO()
        np.savez(
            file,
            index=np.array([frame.index for frame in frames], np.int64),
            decoded=np.array([frame.decoded for frame in frames], bool),
            frame=np.array([f for f, _ in people], np.int64),
            person=np.array([person.person for _, person in people], np.int64),
            keypoints=_stack([person.keypoints for _, person in people], (33, 3)),
            box=_stack([person.box for _, person in people], (4,)),
            presence=np.array([person.presence for _, person in people], np.float32),
            world=_stack([person.world for _, person in people], (33, 3)),
            masked=np.array(kept, np.int64),
            mask=np.packbits(_stack([people[i][1].mask for i in kept], (64, 64)) > 127, axis=-1),
            mask_square=_stack([people[i][1].mask_square for i in kept], (4,)),
        )
        with writing(self.folder):
            self.folder.mkdir(exist_ok=True)
        replace_file(self.folder / f"{position:09d}.npz", file.getvalue())

    def positions(self) -> list[int]:
        """First positions of the runs that are there, from the start without a gap."""
        if not self.folder.exists():
            return []
        found = sorted(int(path.stem) for path in self.folder.glob("*.npz"))
        out, expected = [], 0
        for position in found:
            if position != expected:
                break
            out.append(position)
            expected = position + len(self._load(position)["index"])
        return out

    def frames(self) -> Iterator[FramePoses]:
        """Every kept frame in order, with the masks that the estimator gave."""
        for position in self.positions():
            data = self._load(position)
            masks = {int(i): m for m, i in enumerate(data["masked"])}
            people: list[list[PersonPose]] = [[] for _ in data["index"]]
            for i, f in enumerate(data["frame"].tolist()):
                m = masks.get(i)
                mask = None if m is None else np.unpackbits(data["mask"][m], axis=-1) * np.uint8(255)
                people[f].append(
                    PersonPose(
                        person=int(data["person"][i]),
                        keypoints=data["keypoints"][i],
                        box=data["box"][i],
                        presence=float(data["presence"][i]),
                        world=data["world"][i],
                        mask=mask,
                        mask_square=None if m is None else data["mask_square"][m],
                    )
                )
            for f, index in enumerate(data["index"].tolist()):
                yield FramePoses(index, bool(data["decoded"][f]), tuple(people[f]))

    def _load(self, position: int) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
        path = self.folder / f"{position:09d}.npz"
        try:
            with np.load(path) as file:
                return dict(file)
        except (OSError, ValueError, KeyError, EOFError) as fault:
            raise TakeCorrupt(
                f"{path} cannot be read: {fault}",
                hint="Delete this file: the same command then finds its frames again.",
                path=str(path),
            ) from fault


def _stack(rows: list, shape: tuple[int, ...]) -> np.ndarray:  # type: ignore[type-arg]
    """Rows as one array, also where there are none."""
    return np.stack(rows) if rows else np.zeros((0, *shape), np.float32)
