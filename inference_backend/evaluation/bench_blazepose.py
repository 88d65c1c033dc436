"""Our BlazePose against the original: the same landmarks? And how many frames a second?

The original is the PyPI package `mediapipe` 0.10.21 with model_complexity=1 (the full landmark model, so ours too, but
for the last row), smooth_landmarks=False and no mask (ours gives one every 15th frame, as for clips). It runs in an
environment of its own, made once: it wants numpy < 2 and Python 3.12 at most.

Agreement is measured on frames decoded here and handed to both, since two decoders differ by up to 16 of 255. Speed is
measured from the file to the last landmark, the original reading with the OpenCV it comes with: in rounds of original,
one worker, two workers, so that other load hits all alike. Making the networks and starting the workers counts;
importing the packages in the main process does not. Look at ratios: frames per second are the machine's.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ..errors import BadArgument, Internal
from ..estimators import Frame, FramePoses
from ..estimators.blazepose import BlazePose, BlazePoseSettings
from ..estimators.blazepose_runs import VideoFrames
from ..estimators.blazepose_workers import clip_settings, estimate_clip
from ..tracking import TrackBook, choose
from ..video import VideoSource, probe, read
from ..weights import BLAZEPOSE_WHEEL, models_folder

_ORIGINAL: Final = Path(__file__).with_name("bench_blazepose_original.py")


@dataclass(frozen=True)
class Agreement:
    """Distances between our landmarks and the original's, same frames and person, % of the box's longer side."""

    median: float
    """Half of all landmarks are closer."""
    p95: float
    """95% of all landmarks are closer."""
    jitter: float
    """Median acceleration of our landmarks, % of the box per frame²: what noise and motion make."""
    frames: int
    """Frames in which both saw the person."""


@dataclass(frozen=True)
class Speed:
    """From the file to the last landmark."""

    fps: float
    """Frames per second, median of the rounds."""
    ratio: float
    """Frames per second relative to the original's in the same round, median of the rounds."""
    cpu_ms: float | None
    """CPU time per frame over all threads, ms, median; None where it is spread over processes."""


@dataclass(frozen=True)
class Bench:
    """What `run` measures."""

    stream: Agreement
    """Ours as one stream, as the original works."""
    runs: Agreement
    """Ours in runs, as clips are done."""
    original_jitter: float
    """`Agreement.jitter` of the original's landmarks."""
    speed: dict[str, Speed]
    """By who: "original", "ours, 1 worker", …"""


@dataclass(frozen=True)
class LoopedFrames:
    """A `FrameSource` that starts again where the clip ends."""

    clip: Path
    """The clip."""
    length: int
    """Its number of frames."""

    def __call__(self, start: int, stop: int) -> Iterator[Frame]:
        """Frames at positions start to stop - 1 of the endless clip, indexed by position."""
        while start < stop:
            first = start % self.length
            last = min(first + stop - start, self.length)
            for _, image in VideoFrames(VideoSource(self.clip))(first, last):
                yield start, image
                start += 1


def original_python(cache: Path | None = None) -> Path:
    """The interpreter of the original's environment, made on first use.

    Args:
        cache: folder to keep the environment in; None: beside the models.

    Raises:
        BadArgument: no Python the original runs on is on PATH.
        Internal: the package could not be installed.
    """
    folder = (cache or models_folder().parent / "bench") / BLAZEPOSE_WHEEL.replace("==", "-")
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ready = folder / "ready"
    if not ready.is_file():
        base = shutil.which("python3.11") or (sys.executable if sys.version_info[:2] == (3, 11) else None)
        if base is None:
            raise BadArgument("the original needs Python 3.11", hint="Install Python 3.11 and put it on PATH.")
        shutil.rmtree(folder, ignore_errors=True)
        install = [str(python), "-m", "pip", "install", "--quiet", BLAZEPOSE_WHEEL, "numpy<2"]
        for command in ([base, "-m", "venv", str(folder)], install):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                hint = "Check the network and try again."
                raise Internal("the original could not be installed", hint=hint, output=done.stderr[-2000:])
        ready.touch()
    return python


def _original(
    python: Path, task: str, *arguments: str, frames: Iterator[npt.NDArray[np.uint8]] | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """Run the original; its landmarks (F, 33, 3), wall and CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        out, log = Path(folder) / "out.npz", Path(folder) / "log.txt"
        with log.open("wb") as stderr:
            command = [str(python), "-P", str(_ORIGINAL), task, str(out), *arguments]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stderr, stderr=stderr)
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
                for image in frames or ():
                    pipe.write(image.data)
            code = process.wait()
        if code != 0:
            raise Internal(
                "the original failed", hint="See the output.", output=log.read_text(errors="replace")[-2000:]
            )
        with np.load(out) as found:
            return dict(found)


def agreement(ours: npt.NDArray[np.float64], original: npt.NDArray[np.float64]) -> Agreement:
    """Compare landmarks (F, 33, ≥2) px; NaN where nobody was seen."""
    ours, original = ours[..., :2], original[..., :2]
    seen = np.isfinite(ours).all(axis=(1, 2)) & np.isfinite(original).all(axis=(1, 2))
    box = np.ptp(original, axis=1).max(axis=1)[:, None]
    distance = (100 * np.linalg.norm(ours - original, axis=2) / box)[seen]
    return Agreement(float(np.median(distance)), float(np.percentile(distance, 95)), jitter(ours), int(seen.sum()))


def jitter(landmarks: npt.NDArray[np.float64]) -> float:
    """Median acceleration of landmarks (F, 33, ≥2), % of the box's longer side per frame²."""
    box = np.ptp(landmarks[..., :2], axis=1).max(axis=1)[2:, None]
    return float(100 * np.nanmedian(np.linalg.norm(np.diff(landmarks[..., :2], n=2, axis=0), axis=2) / box))


def _largest(poses: list[FramePoses], fps: float) -> npt.NDArray[np.float64]:
    """Keypoints (F, 33, 3) of the largest person; NaN where not seen."""
    book = TrackBook()
    for frame in poses:
        for one in frame.people:
            book.add(frame.index, one.person, one.box, one.presence)
    person = choose(book.tracks(fps))[0].person
    rows = np.full((len(poses), 33, 3), np.nan)
    for row, frame in zip(rows, poses, strict=True):
        for one in frame.people:
            if one.person == person:
                row[:] = one.keypoints
    return rows


def run(
    clip: Path, *, compared: int = 240, timed: int = 1000, rounds: int = 3, workers: tuple[int, ...] = (1, 2),
    cache: Path | None = None,
) -> Bench:  # fmt: skip
    """Measure, and print a table.

    Args:
        clip: a video of one person, readable by OpenCV.
        compared: frames for the agreement. timed: frames for the speed; the clip is looped.
        rounds: how often the speed is measured. workers: numbers of workers.
        cache: where the original's environment is kept; None: beside the models.

    Raises:
        BadArgument, Internal: from `original_python`, or the original failed. What `probe` and BlazePose raise.
    """
    python, info = original_python(cache), probe(clip)
    part = VideoSource(clip, stop=min(compared, info.frame_count))
    images = (frame.image for frame in read(part) if frame.image is not None)
    original = _original(python, "agree", str(info.height), str(info.width), frames=images)["landmarks"]
    frames = ((frame.index, frame.image) for frame in read(part) if frame.image is not None)
    stream = list(BlazePose(BlazePoseSettings(landmark_model="full")).estimate(frames))
    cut = list(estimate_clip(VideoFrames(part), len(original), settings=clip_settings("blazepose_full")))
    cut = [frame for frame in cut if frame.decoded]

    ways = {f"ours, {count} worker{'s' if count > 1 else ''}": (count, "blazepose_full") for count in workers}
    ways[f"ours with the heavy model, {workers[-1]} workers"] = workers[-1], "blazepose_heavy"
    timings: dict[str, list[tuple[float, float]]] = {"original": [], **{name: [] for name in ways}}
    for _ in range(rounds):
        done = _original(python, "speed", str(clip), str(timed))
        timings["original"].append((float(done["wall"]), float(done["cpu"])))
        for name, (count, estimator) in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in estimate_clip(LoopedFrames(clip, info.frame_count), timed, count, clip_settings(estimator)):
                pass
            timings[name].append((time.perf_counter() - wall, time.process_time() - cpu))

    base = np.array(timings["original"])[:, 0]
    speed = {}
    for name, values in timings.items():
        seconds, cpu_seconds = np.array(values).T
        cpu_ms = float(1e3 * np.median(cpu_seconds) / timed) if ways.get(name, (1, ""))[0] == 1 else None
        speed[name] = Speed(float(np.median(timed / seconds)), float(np.median(base / seconds)), cpu_ms)
    found = [agreement(_largest(poses, info.fps), original) for poses in (stream, cut)]
    bench = Bench(found[0], found[1], jitter(original), speed)
    print(table(bench))
    return bench


def table(bench: Bench) -> str:
    """The result as Markdown."""
    lines = ["| landmarks | median, % of box | 95% | jitter | frames |", "|---|---|---|---|---|"]
    lines.append(f"| original | | | {bench.original_jitter:.3f} | |")
    for name, row in (("ours, one stream", bench.stream), ("ours, in runs", bench.runs)):
        lines.append(f"| {name} | {row.median:.3f} | {row.p95:.3f} | {row.jitter:.3f} | {row.frames} |")
    lines += ["", "| speed | frames/s | × original | CPU ms per frame |", "|---|---|---|---|"]
    for name, one in bench.speed.items():
        cpu = "" if one.cpu_ms is None else f"{one.cpu_ms:.1f}"
        lines.append(f"| {name} | {one.fps:.1f} | {one.ratio:.2f} | {cpu} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Compare our BlazePose with the original.")
    parser.add_argument("clip", type=Path, help="a video of one person")
    parser.add_argument("--timed", type=int, default=1000, help="frames to time")
    parser.add_argument("--rounds", type=int, default=3, help="how often to time")
    given = parser.parse_args()
    run(given.clip, timed=given.timed, rounds=given.rounds)
