"""A take as a movie that a person can look at: over the footage, and alone from the front and from the side."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from .body import load_default_body
from .disk import writing
from .errors import BadArgument, BodyInvalid
from .progress import Meter, Progress
from .raster import Float
from .render_views import (
    PALETTE,
    Figure,
    Image,
    Intrinsics,
    Matrix,
    Triangles,
    WorldCamera,
    draw_in_world,
    draw_over_footage,
    frame_world,
    moved,
    write_text,
)
from .suspect_threshold import SUSPECT_THRESHOLD
from .take import Person, Take
from .video import Frame, VideoSource, read
from .video_writer import Mp4Writer

VIEWS: Final = ("camera", "front", "side")
"""What a render may show, in the order from left to right."""

_TALLEST, _LOWEST = 720, 480
"""Pixels of a view: large footage is shrunk to the one, small footage grown to the other."""
_WORLD_ASPECT = 3 / 4
_NO_PICTURE = 128


@dataclass(frozen=True, eq=False)
class _Cast:
    """The people of a take as rows to draw."""

    people: tuple[Person, ...]
    """Those with calibrated frames."""
    triangles: Triangles
    """(T, 3) of everybody's mesh."""

    def figures(self, index: int) -> list[Figure]:
        """Who is there in a frame of the footage."""
        found = []
        for person in self.people:
            row = int(np.searchsorted(frames := _calibrated(person), index))
            if row < len(frames) and frames[row] == index:
                suspect = person.array("suspect")
                found.append(
                    Figure(
                        vertices=np.array(person.array("vertices")[row]),
                        joints=np.array(person.array("joints_target")[row]),
                        suspect=suspect[row] >= SUSPECT_THRESHOLD if row < len(suspect) else np.zeros(24, bool),
                        colour=PALETTE[person.info.index % len(PALETTE)],
                    )
                )
        return found


def render_take(
    take: Take,
    out: str | os.PathLike[str],
    views: Sequence[str] = VIEWS,
    *,
    clip: str | os.PathLike[str] | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Path:
    """Write the movie of a take, finished or not, with the footage's times; returns its path.

    Over the footage: every person's mesh, half transparent and in a colour of its own, the target skeleton (left blue,
    right red) and rings about suspect joints. In the world: the meshes alone, on a floor of half-metre tiles. A frame
    of the footage that cannot be decoded is grey, and says so.

    Args:
        take: an opened take.
        out: the mp4 file; its folder is made. One that is there is replaced.
        views: which of `VIEWS`, from left to right.
        clip: the footage, where it is no longer where the take knows it.
        report: gets the progress.
        cancelled: asked at every frame.

    Raises:
        BadArgument: an unknown view, nothing calibrated yet, or `out` is the footage.
        ClipNotFound, UnsupportedVideo: the footage is gone or cannot be read.
        BodyInvalid: the take's body is not the one that is installed.
        OutputNotWritable, DiskFull, Cancelled: nothing is left behind.
    """
    unknown = [view for view in views if view not in VIEWS]
    if unknown or not views:
        raise BadArgument(f"no view {', '.join(unknown) or 'named'}", hint=f"Choose from: {', '.join(VIEWS)}.")
    footage, target = take.clip_path() if clip is None else Path(clip), Path(out)
    if target.exists() and footage.exists() and target.samefile(footage):
        raise BadArgument(f"{target} is the footage itself", hint="Name another file.", path=str(target))
    cast = _cast(take)
    source = _source(take, cast, footage)
    height = min(max(take.info.clip.height, _LOWEST), _TALLEST)
    height -= height % 2
    stage = _Stage(take, cast, height)
    meter = Meter(report, cancelled)
    total = len(range(source.start, source.stop or 0, source.step))
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    fps = take.info.clip.fps / source.step
    meter.stage("render", 0, total)
    with Mp4Writer(target, fps, (sum(stage.width(view) for view in views), height)) as writer:
        for done, frame in enumerate(read(source, threads=0), 1):
            figures = cast.figures(frame.index)
            panels = [stage.panel(view, frame, figures) for view in views]
            write_text(panels[0], f"frame {frame.index}  {frame.seconds:.2f} s", line=1)
            writer.write(np.concatenate(panels, axis=1), frame.seconds)
            meter.stage("render", done, total)
    return target


class _Stage:
    """The cameras of a movie."""

    def __init__(self, take: Take, cast: _Cast, height: int) -> None:
        clip, person = take.info.clip, cast.people[0]
        self._cast = cast
        self._height = height
        self._scale = height / clip.height
        self._footage_width = round(clip.width * self._scale)
        fx, fy, cx, cy = (float(value) for value in person.array("camera"))
        # Pixel centres are integers, so the picture's corner is at -0.5.
        s = self._scale
        self._lens: Intrinsics = (fx * s, fy * s, (cx + 0.5) * s - 0.5, (cy + 0.5) * s - 0.5)
        self._world: Matrix = person.array("world").astype(np.float64)
        self._frames = _calibrated(person)
        joints: Float = moved(self._world, person.array("joints_target")[: len(self._frames)])
        size = (round(height * _WORLD_ASPECT), height)
        self._cameras: dict[str, WorldCamera] = {
            view: frame_world(joints, self._world[:3, :3], view, size, clip.fps) for view in VIEWS[1:]
        }

    def width(self, view: str) -> int:
        """Of a view's picture, pixels."""
        return self._footage_width if view == "camera" else self._cameras[view].size[0]

    def panel(self, view: str, frame: Frame, figures: list[Figure]) -> Image:
        """A view of one frame. Shape: (height, width, 3)."""
        if view == "camera":
            image = self._picture(frame.image)
            draw_over_footage(image, figures, self._cast.triangles, self._lens)
            if frame.image is None:
                write_text(image, "this frame of the footage cannot be decoded", line=2)
        else:
            row = min(int(np.searchsorted(self._frames, frame.index)), len(self._frames) - 1)
            image = draw_in_world(figures, self._cast.triangles, self._world, self._cameras[view], row)
        write_text(image, view)
        return image

    def _picture(self, image: npt.NDArray[np.uint8] | None) -> Image:
        size = (self._footage_width, self._height)
        if image is None:
            return np.full((size[1], size[0], 3), _NO_PICTURE, np.uint8)
        how = cv2.INTER_AREA if self._scale < 1 else cv2.INTER_LINEAR
        return np.array(cv2.resize(image, size, interpolation=how), np.uint8)


def _cast(take: Take) -> _Cast:
    people = tuple(person for person in take.people if person.done("calibrate"))
    if not people or not all(people[0].has(name) for name in ("camera", "world")):
        raise BadArgument(
            f"{take.folder} has no calibrated frame yet",
            hint="Run the same reconstruct command again: it continues where it stopped.",
            path=str(take.folder),
        )
    body = load_default_body()
    if body.vertex_count != take.info.body.vertices:
        raise BodyInvalid(
            f"{take.folder} was made with the body {take.info.body.name} of {take.info.body.vertices} vertices",
            hint="Render it with the program version that made it.",
            installed=body.vertex_count,
        )
    return _Cast(people, body.triangles.numpy().astype(np.int32))


def _calibrated(person: Person) -> npt.NDArray[np.int64]:
    """Indices in the footage of the frames whose mesh is finished; ascending. Shape: (done,)."""
    return person.array("frames")[: person.done("calibrate")]


def _source(take: Take, cast: _Cast, footage: Path) -> VideoSource:
    """The run of the footage from the first frame with anybody to the last, at the take's step."""
    indices: npt.NDArray[np.int64] = np.unique(np.concatenate([_calibrated(person) for person in cast.people]))
    step = int(np.gcd.reduce(np.diff(indices))) if len(indices) > 1 else 1
    rate = take.info.settings.get("clip", {}).get("fps")
    return VideoSource(footage, int(indices[0]), int(indices[-1]) + 1, step, rate)
