"""How much slower is the whole pipeline than BlazePose alone? And how long until a user sees that something happens?

Both read the clip from the file, with a worker on each core, in rounds of one and the other so that other load hits
both alike. Making the networks and starting the workers counts; importing the packages does not. Look at the ratio:
frames per second are the machine's. A clip of a few seconds tells more of starting than of working.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import Internal
from ..estimators.blazepose_runs import VideoFrames
from ..estimators.blazepose_workers import clip_settings, estimate_clip
from ..pipeline import ReconstructSettings, reconstruct
from ..presets import load_preset
from ..progress import Progress
from ..video import VideoSource, probe


@dataclass(frozen=True)
class Bench:
    """What `run` measures; medians of the rounds."""

    frames: int
    """Frames of the clip."""
    estimator_fps: float
    """Frames per second of BlazePose alone."""
    pipeline_fps: float
    """Frames per second from the clip to the finished take."""
    ratio: float
    """The one over the other in the same round."""
    stages: dict[str, float]
    """Seconds until each stage's last report, from the report before it; of one round."""
    first_progress: float
    """Seconds from starting the command to its first report."""


def run(clip: Path, *, rounds: int = 3, preset: str = "default") -> Bench:
    """Measure with a solve preset (name or file), and print a table. Raises what `reconstruct` raises."""
    count = probe(clip).frame_count
    workers = os.cpu_count() or 1
    seconds: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        job = ReconstructSettings(clip=clip, out=Path(folder) / "bench.take", preset=load_preset(preset))
        settings = clip_settings(job.preset.estimator)
        reconstruct(replace(job, end=min(count, 30)), _Clock())  # compiles, and reads the files
        for _ in range(rounds):
            began = time.perf_counter()
            for _ in estimate_clip(VideoFrames(VideoSource(clip)), count, workers, settings):
                pass
            between, stages = time.perf_counter(), _Clock()
            reconstruct(replace(job, overwrite=True), stages)
            seconds.append((between - began, time.perf_counter() - between))
        first = float(np.median([first_progress(clip, Path(folder) / f"{k}.take", preset) for k in range(rounds)]))
    alone, whole = np.array(seconds).T
    bench = Bench(
        frames=count,
        estimator_fps=float(count / np.median(alone)),
        pipeline_fps=float(count / np.median(whole)),
        ratio=float(np.median(alone / whole)),
        stages=stages.seconds,
        first_progress=first,
    )
    print(table(bench))
    return bench


class _Clock:
    """Notes how long each stage took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, progress: Progress) -> None:
        now = time.perf_counter()
        self.seconds[progress.stage] = self.seconds.get(progress.stage, 0.0) + now - self._last
        self._last = now


def first_progress(clip: Path, out: Path, preset: str) -> float:
    """Seconds from starting `reconstruct` to its first report; it is then stopped. Raises Internal if it fails."""
    command = [sys.executable, "-m", "inference_backend", "reconstruct", str(clip), "--out", str(out)]
    command += ["--preset", preset]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as job:
        assert job.stderr is not None
        told = []
        for line in job.stderr:
            told.append(line)
            if line.startswith("estimate"):
                seconds = time.perf_counter() - began
                job.kill()
                return seconds
    raise Internal("the command ended without a report", hint="See the output.", output="".join(told)[-2000:])


def table(bench: Bench) -> str:
    """The result as Markdown."""
    lines = [
        f"| {bench.frames} frames | frames/s | × BlazePose alone |",
        "|---|---|---|",
        f"| BlazePose alone | {bench.estimator_fps:.1f} | |",
        f"| whole pipeline | {bench.pipeline_fps:.1f} | {bench.ratio:.2f} |",
        "",
        "| stage | s |",
        "|---|---|",
        *(f"| {name} | {seconds:.2f} |" for name, seconds in bench.stages.items()),
        "",
        f"start to first progress: {bench.first_progress:.1f} s",
    ]
    return "\n".join(lines)
