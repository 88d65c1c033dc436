"""The 2D stage of a clip: everyone found and followed, kept as it goes, and the people chosen whom the take is about."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .camera_motion import watch_camera
from .detections import DetectionStore
from .errors import BadArgument
from .estimators import FramePoses
from .estimators.blazepose_runs import RUN_FRAMES, VideoFrames
from .estimators.blazepose_workers import estimate_clip
from .progress import Meter
from .solve_preset import SolvePreset
from .tracking import Track, TrackBook, choose
from .video import VideoInfo, VideoSource


@dataclass(frozen=True)
class Estimation:
    """What the 2D stage found."""

    store: DetectionStore
    """Every frame's poses."""
    tracks: tuple[Track, ...]
    """The chosen people."""
    indices: npt.NDArray[np.int64]
    """(C,) index in the footage of every frame that was read."""
    times: npt.NDArray[np.float64]
    """(C,) their seconds."""
    warnings: tuple[str, ...]
    """Sentences for the user."""

    def frames(self) -> Iterator[FramePoses]:
        """Every frame's poses, in order."""
        return self.store.frames()


def estimate(
    source: VideoSource, info: VideoInfo, store: DetectionStore, preset: SolvePreset, people: str, meter: Meter
) -> Estimation:
    """Finds everyone in every frame that is not yet in the store, and chooses.

    Raises:
        NoPersonFound: nobody, or not the one asked for.
        Cancelled: on request; finished runs are kept.
    """
    indices = np.arange(info.frame_count, dtype=np.int64)[source.start : source.stop : source.step]
    if len(indices) == 0:
        raise BadArgument(
            f"no frame lies in {source.start} to {source.stop}: the clip has {info.frame_count}",
            hint="Choose a start before the clip's end.",
            frames=info.frame_count,
        )
    done = sum(1 for _ in store.frames())
    workers = (os.cpu_count() or 1) if isinstance(preset.workers, str) else int(preset.workers)
    meter.stage("estimate", done, len(indices))
    # A run that is short ends the clip, whatever its header promised.
    if done < len(indices) and done % RUN_FRAMES == 0:
        run: list[FramePoses] = []
        stream = estimate_clip(VideoFrames(source), len(indices), workers, start=done, before=store.frames())
        with contextlib.closing(stream) as frames:
            for frame in frames:
                run.append(frame)
                if len(run) == RUN_FRAMES:
                    store.add(done, run)
                    done += len(run)
                    run = []
                meter.stage("estimate", done + len(run), len(indices))
        if run:
            store.add(done, run)
            done += len(run)
    book, lost = TrackBook(), 0
    boxes: dict[int, list[npt.NDArray[np.float32]]] = {}
    for frame in store.frames():
        lost += not frame.decoded
        for person in frame.people:
            book.add(frame.index, person.person, person.box, person.presence)
            boxes.setdefault(frame.index, []).append(person.box)
    tracks = choose(book.tracks(info.fps / source.step), wanted(people))
    warnings = []
    if lost:
        warnings.append(f"{lost} of {done} frames cannot be decoded: their poses are interpolated.")
    motion = watch_camera(replace(source, stop=int(indices[done - 1]) + 1), info, boxes)
    if motion.moving:
        warnings.append(
            f"The camera moves ({motion.pixels_per_frame:.1f} pixels a frame): the pose is right in the camera's view, "
            "but the path through the world is not."
        )
    return Estimation(store, tracks, indices[:done], info.times[indices[:done]], tuple(warnings))


def wanted(people: str) -> int | str:
    """ "largest", "all" or a place by size. Raises BadArgument for another word."""
    if people in ("largest", "all"):
        return people
    if people.isdecimal():
        return int(people)
    raise BadArgument(
        f"people: found {people!r}", hint='Say "largest", "all" or a number from 0, the largest.', found=people
    )
