"""Run by a Python with the backend: what a take should be by layers and edits, every row of it made anew.

    PYTHONPATH=ROOT python judge.py PRISTINE OUT

ROOT holds `inference_backend`. PRISTINE is a take that nobody writes to. Each line of JSON on stdin, {"layers": …,
"edits": FILE.npz}, makes OUT a copy of it with these layers and edits, and is answered by a line.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import torch

from inference_backend.edit_jobs import wanted
from inference_backend.recalibrate import recalibrate
from inference_backend.take_writer import TakeWriter


def judge(pristine: Path, out: Path, request: dict[str, object]) -> None:
    """Make `out`."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(pristine, out)
    with TakeWriter.open(out) as writer:
        writer.invalidate(0, "target", 0, writer.info.people[0].frames)
    recalibrate(out, 0, wanted(request["layers"], Path(str(request["edits"]))))  # type: ignore[arg-type]


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in sys.stdin:
        judge(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(line))
        print("made", flush=True)
