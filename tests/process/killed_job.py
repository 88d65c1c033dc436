"""A reconstruction that dies: `killed_job.py CLIP OUT WORKERS STAGE SHARE [half]` kills itself without a word.

It dies where `SHARE` of the steps of `STAGE` are done; with `half`, in the middle of the next rows it writes. Worker
processes load this file too, so what only the job needs is imported in functions.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from inference_backend.pipeline import ReconstructSettings
    from inference_backend.progress import Meter

FRAMES = 70
"""More than two runs of the estimator, and more than one batch of meshes."""


def settings(clip: Path, out: Path, workers: int = 1) -> ReconstructSettings:
    """The job of these tests."""
    from inference_backend.pipeline import ReconstructSettings
    from inference_backend.presets import load_preset, override

    preset = override(load_preset("default"), {"workers": workers, "device": "cpu"}, "test")
    return ReconstructSettings(clip=clip, out=out, preset=preset, end=FRAMES)


def die() -> NoReturn:
    """End this process as the system would."""
    if sys.platform == "win32":
        os._exit(9)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def main() -> None:
    """Run the job up to its death."""
    from inference_backend import disk, take_rows
    from inference_backend.pipeline import reconstruct
    from inference_backend.progress import Meter

    clip, out, workers, stage, share, *half = sys.argv[1:]
    step = Meter.stage

    def write_half(path: Path, offset: int, data: Any) -> NoReturn:
        disk.write_at(path, offset, memoryview(data)[: len(data) // 2])
        die()

    def fatal_step(self: Meter, name: str, done: int, total: int) -> None:
        if name == stage and done >= float(share) * total:
            if not half:
                die()
            take_rows.write_at = write_half
        step(self, name, done, total)

    Meter.stage = fatal_step  # type: ignore[method-assign]
    reconstruct(settings(Path(clip), Path(out), int(workers)), lambda progress: None)


if __name__ == "__main__":
    main()
