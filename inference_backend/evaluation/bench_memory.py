"""Does memory grow with the length of a clip? The peaks of a short job and of a long one, each in its own process.

The clips are made from the one that is given: forward, backward and forward again, made smaller, so that the same
person stays in the picture. The take of 9,000 frames needs 3 GB of the folder for temporary files.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import Internal
from ..video import VideoSource, read
from ..video_writer import Mp4Writer

LONG_SIDE: Final = 640
"""Pixels of the clips that are made: the length is what is measured."""

LOOP_FRAMES: Final = 120
"""Frames of the clip that are gone through forward and backward."""

_JOB: Final = """
import json, sys
from pathlib import Path
from inference_backend.evaluation.bench_memory import peak_bytes
from inference_backend.pipeline import ReconstructSettings, reconstruct
from inference_backend.presets import load_preset
if __name__ == "__main__":
    clip, out = map(Path, sys.argv[1:])
    reconstruct(ReconstructSettings(clip=clip, out=out, preset=load_preset("default")), lambda progress: None)
    print(json.dumps(peak_bytes()))
"""


@dataclass(frozen=True)
class Peak:
    """Most memory that was in use at a time."""

    frames: int
    """Of the clip."""
    main: int
    """Bytes, of the main process."""
    worker: int | None
    """Bytes, of the largest worker process; None where the system does not tell."""


def run(clip: Path, *, frames: tuple[int, ...] = (300, 9000)) -> list[Peak]:
    """Measure, and print a table. Raises Internal where a job fails."""
    with tempfile.TemporaryDirectory() as folder:
        peaks = [measured(clip, count, Path(folder)) for count in frames]
    print(table(peaks))
    return peaks


def measured(clip: Path, frames: int, folder: Path) -> Peak:
    """The peak of a job of so many frames."""
    looped = folder / f"{frames}.mp4"
    write_loop(clip, looped, frames)
    with tempfile.TemporaryDirectory(dir=folder) as take:
        command = [sys.executable, "-c", _JOB, str(looped), take]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Internal("the job failed", hint="See the output.", output=done.stderr[-2000:])
    main, worker = json.loads(done.stdout)
    return Peak(frames, main, worker)


def write_loop(clip: Path, out: Path, frames: int) -> None:
    """The first frames of a clip forward and backward and so on, as a movie of so many frames."""
    pictures = [_smaller(frame.image) for frame in read(VideoSource(clip, stop=LOOP_FRAMES)) if frame.image is not None]
    height, width = pictures[0].shape[:2]
    with Mp4Writer(out, 30, (width, height)) as writer:
        for picture in itertools.islice(_to_and_fro(pictures), frames):
            writer.write(picture)


def peak_bytes() -> tuple[int, int | None]:
    """The peak of this process so far, and of the largest of its processes that have ended, if that is known."""
    if sys.platform == "win32":
        import ctypes
        from ctypes import wintypes

        class Counters(ctypes.Structure):
            _fields_ = [
                ("size", wintypes.DWORD),
                ("faults", wintypes.DWORD),
                *((name, ctypes.c_size_t) for name in ("peak", "now", "a", "b", "c", "d", "e", "f")),
            ]

        counters = Counters(size=ctypes.sizeof(Counters))
        process = wintypes.HANDLE(ctypes.windll.kernel32.GetCurrentProcess())
        ctypes.windll.psapi.GetProcessMemoryInfo(process, ctypes.byref(counters), counters.size)
        return counters.peak, None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    own, workers = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own * unit, workers * unit


def table(peaks: list[Peak]) -> str:
    """The result as Markdown."""
    lines = ["| frames | main process, MB | worker, MB |", "|---|---|---|"]
    for one in peaks:
        worker = "" if one.worker is None else f"{one.worker / 1e6:.0f}"
        lines.append(f"| {one.frames} | {one.main / 1e6:.0f} | {worker} |")
    return "\n".join(lines)


def _smaller(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = min(1.0, LONG_SIDE / max(height, width))
    size = (max(round(width * scale), 2), max(round(height * scale), 2))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _to_and_fro(pictures: list[Any]) -> Iterator[Any]:
    return itertools.cycle([*pictures, *pictures[-2:0:-1]])
