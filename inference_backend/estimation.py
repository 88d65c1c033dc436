"""The 2D stage of a clip: everyone found and followed, kept as it goes; and the people whom the take is about."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .camera_motion import CameraMotion, flattened, looks_every, reduction
from .detections import DetectionStore
from .errors import BadArgument, Internal
from .estimators import FramePoses
from .estimators.blazepose_runs import RUN_FRAMES, VideoFrames
from .estimators.blazepose_team import PoseTeam
from .estimators.blazepose_workers import clip_settings, estimate_clip
from .progress import Meter
from .tracking import Track, TrackBook, choose
from .video import VideoInfo, VideoSource, read


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


@dataclass
class _Seen:
    """What is noted frame by frame."""

    factor: int
    """How many times smaller thumbnails are."""
    book: TrackBook = field(default_factory=TrackBook)
    motion: CameraMotion = field(default_factory=CameraMotion)
    count: int = 0
    lost: int = 0
    """Frames that cannot be decoded."""

    def add(self, frame: FramePoses) -> None:
        """The clip's next frame."""
        self.count += 1
        self.lost += not frame.decoded
        for one in frame.people:
            self.book.add(frame.index, one.person, one.box, one.presence)
        if frame.thumbnail is not None:
            self.motion.look(frame.index, frame.thumbnail, self.factor, [one.box for one in frame.people])

    def warnings(self) -> tuple[str, ...]:
        """Sentences for the user."""
        out = []
        if self.lost:
            out.append(f"{self.lost} of {self.count} frames cannot be decoded: their poses are interpolated.")
        motion = self.motion.result()
        if motion.moving:
            out.append(
                f"The camera moves ({motion.pixels_per_frame:.1f} pixels a frame): the pose is right in the camera's "
                "view, but the path through the world is not."
            )
        return tuple(out)


def estimate(
    source: VideoSource,
    info: VideoInfo,
    store: DetectionStore,
    estimator: str,
    workers: int | str,
    people: int | Literal["largest", "all"],
    meter: Meter,
    *,
    watch_camera: bool = True,
    team: PoseTeam | None = None,
) -> Estimation:
    """Finds everyone in every frame that is not yet in the store, and chooses.

    Args:
        source: the part of the clip; at least one frame of it, see `frames_of`.
        info: of the clip.
        estimator: a solve preset's.
        workers: processes, or "auto": one a core. The result is the same for any number.
        people: whom to choose, see `tracking.choose`.
        watch_camera: say whether it moves. For the frames in the store the clip is then read once more.
        team: processes that may have been started already.

    Raises:
        NoPersonFound: nobody, or not the one asked for.
        Cancelled: on request; finished runs are kept.
    """
    indices = frames_of(source, info)
    every = looks_every(info.fps / source.step) if watch_camera else 0
    seen = _Seen(reduction(info.height, info.width))
    for frame in _with_thumbnails(store.frames(), source, every):
        seen.add(frame)
    done = seen.count
    meter.stage("estimate", done, len(indices))
    # A run that is short ends the clip, whatever its header promised.
    if done < len(indices) and done % RUN_FRAMES == 0:
        clip = estimate_clip(
            VideoFrames(source), len(indices), processes(workers), clip_settings(estimator),
            start=done, before=store.frames(), thumbnail_every=every, team=team,
        )  # fmt: skip
        run: list[FramePoses] = []
        try:
            with contextlib.closing(clip) as frames:
                for frame in frames:
                    seen.add(frame)
                    run.append(frame)
                    if len(run) == RUN_FRAMES:
                        store.add(seen.count - len(run), run)
                        run = []
                    meter.stage("estimate", seen.count, len(indices))
        except Internal:
            # Windows tells Ctrl-C to the workers as well, some of which may not yet ignore it: then this is no fault.
            meter.stage("estimate", seen.count, len(indices))
            raise
        if run:
            store.add(seen.count - len(run), run)
    tracks = choose(seen.book.tracks(info.fps / source.step), people)
    read_indices = indices[: seen.count]
    return Estimation(store, tracks, read_indices, info.times[read_indices], seen.warnings())


def pose_team(source: VideoSource, estimator: str) -> PoseTeam:
    """For `estimate` with this estimator, to be started while the clip is still being looked at."""
    return PoseTeam(VideoFrames(source), clip_settings(estimator))


def processes(workers: int | str) -> int:
    """How many a preset's `workers` are on this machine."""
    return (os.cpu_count() or 1) if isinstance(workers, str) else workers


def frames_of(source: VideoSource, info: VideoInfo) -> npt.NDArray[np.int64]:
    """Index in the footage of every frame of a part of a clip, at least one. Raises BadArgument where there is none."""
    stop = info.frame_count if source.stop is None else min(source.stop, info.frame_count)
    if not 0 <= source.start < stop or source.step < 1:
        asked = f"from {source.start} on" if source.stop is None else f"from {source.start} to {source.stop - 1}"
        by = "" if source.step == 1 else f", {source.step} apart"
        raise BadArgument(
            f"the clip has {info.frame_count} frames, counted from 0, and none of them is {asked}{by}",
            hint="Choose a first frame before the clip's end, and a last one that is not before it "
            "(--start, --end, --step).",
            start=source.start,
            stop=stop,
            step=source.step,
            frames=info.frame_count,
        )
    return np.arange(source.start, stop, source.step, dtype=np.int64)


def wanted(people: str) -> int | Literal["largest", "all"]:
    """ "largest", "all" or a place by size. Raises BadArgument for another word."""
    if people == "largest":
        return "largest"
    if people == "all":
        return "all"
    if people.isdecimal():
        return int(people)
    raise BadArgument(
        f"people: found {people!r}", hint='Say "largest", "all" or a number from 0, the largest.', found=people
    )


def _with_thumbnails(frames: Iterable[FramePoses], source: VideoSource, every: int) -> Iterator[FramePoses]:
    """A clip's first frames, as kept by an earlier job, with the thumbnails that were not kept."""
    pictures: Iterator[Any] = iter(())
    for position, frame in enumerate(frames):
        if every and position % every == 0:
            if position == 0:
                pictures = iter(read(replace(source, step=source.step * every)))
            image = next(pictures).image
            frame = replace(frame, thumbnail=None if image is None else flattened(image))
        yield frame
