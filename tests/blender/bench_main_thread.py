"""How long Blender's main thread is held up at a time while a job runs: `make bench`.

    .cache/bpy/5.0.1/bin/python tests/blender/bench_main_thread.py [--clip CLIP --backend PYTHON] [TAKE …]

Jobs are turned as the timer in a window turns them. Measured are the turns; how late this thread wakes while threads
of the job work; and what Blender itself does once a job has put something into the scene and no extension can split:
the first evaluation, as the next drawing asks for it, and the undo push. A clip is reconstructed by the backend of an
interpreter, and imported; a made-up take of 1,000 frames of the shipped body, and the takes that are given, are
imported in each form, and again over themselves, and their form is changed. Prints a table; fails where a turn lasts
longer than it may.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import tests.conftest  # noqa: E402, F401  loads the root as `pchmr`
from pchmr.pchmr_blender import registration, session  # noqa: E402
from pchmr.pchmr_blender.activities import BackendJob, Job, Work  # noqa: E402
from pchmr.pchmr_blender.backend.process import Launch  # noqa: E402
from pchmr.pchmr_blender.core.form_costs import Form  # noqa: E402
from pchmr.pchmr_blender.operators.forms import changing  # noqa: E402
from pchmr.pchmr_blender.operators.reconstruct import bring_in, reconstruction  # noqa: E402
from pchmr.pchmr_blender.operators.request import request_of  # noqa: E402
from pchmr.pchmr_blender.scene.handles import handle_of, people_in  # noqa: E402
from pchmr.pchmr_blender.scene.import_take import ImportOptions  # noqa: E402
from tests.blender.benches import bulging_take, seconds_of  # noqa: E402

FRAMES = 1000
LONGEST = 0.050
"""Seconds that a turn may last."""
NAP = 0.001
COLUMNS = "{:<40} {:>7} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}"
IDLE = 0.0005
"""Seconds: a turn that was over sooner has only looked."""


@dataclass
class Times:
    """Of one job, in seconds."""

    turns: list[float] = field(default_factory=list)
    """Those in which something was done."""
    computing: float = 0.0
    """The longest of them by this thread's own processor time: without what other programs took, and the disk."""
    late: list[float] = field(default_factory=list)
    """How much later than asked for this thread woke between two turns."""
    evaluation: float = 0.0
    """The longest of Blender's evaluations after a turn."""
    push: float = 0.0
    """Blender's undo push at the end."""
    total: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether no turn was too long."""
        return self.longest <= LONGEST

    @property
    def longest(self) -> float:
        """Of the turns."""
        return max(self.turns, default=0.0)


def timed(job: Job) -> Times:
    """Run a job to its end. Raises what it ends with."""
    times, began = Times(), time.perf_counter()
    session.current.begin(job)
    while session.current.activity is not None:
        computing = time.thread_time()
        turn = seconds_of(session.current.turn)
        times.computing = max(times.computing, time.thread_time() - computing)
        times.turns += [turn] if turn > IDLE else []
        times.evaluation = max(times.evaluation, seconds_of(bpy.context.view_layer.update))
        times.late.append(seconds_of(lambda: time.sleep(NAP)) - NAP)
    times.total = time.perf_counter() - began
    if session.current.problem is not None:
        raise RuntimeError(session.current.problem)
    times.push = seconds_of(lambda: bpy.ops.ed.undo_push(message="job"))
    return times


def scene_uid() -> int:
    return bpy.context.scene.session_uid


def empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="empty")


def importing(folder: Path, form: Form | None) -> Work:
    return bring_in(folder, ImportOptions(form=form), scene_uid(), "Import Take")


def bench_take(name: str, folder: Path) -> Iterator[tuple[str, Times]]:
    """Import in each form; the same again, which replaces it; and all changes of form."""
    for form in Form:
        empty_file()
        yield f"{name}: import, {form.value.lower()}", timed(Job("bench", importing(folder, form)))
        yield f"{name}: import again, {form.value.lower()}", timed(Job("bench", importing(folder, form)))
    for form in (Form.COMPRESSED, Form.ABSOLUTE, Form.PC2, Form.ABSOLUTE, Form.COMPRESSED, Form.PC2):
        person = people_in(bpy.context.scene)[0]
        what = f"{name}: {person.pchmr.form.lower()} → {form.value.lower()}"
        yield what, timed(Job("bench", changing(handle_of(person), form, 1.0)))


def bench_clip(clip: Path, interpreter: Path, folder: Path) -> Iterator[tuple[str, Times]]:
    """A whole job: from the footage to the scene."""
    empty_file()
    settings = bpy.context.scene.pchmr
    settings.clip, settings.out = str(clip), str(folder)
    client = session.current.client(Launch(interpreter, ROOT, folder / "backend.log"))
    work = reconstruction(request_of(settings), ImportOptions(), scene_uid())
    yield f"{clip.name}: reconstruct and import", timed(BackendJob("bench", client, work(client)))


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(description="How long Blender's main thread is held up at a time by a job.")
    parser.add_argument("takes", nargs="*", type=Path, metavar="TAKE")
    parser.add_argument("--clip", type=Path, help="footage to be reconstructed")
    parser.add_argument("--backend", type=Path, metavar="PYTHON", help="interpreter of the backend, for --clip")
    options = parser.parse_args()
    print(f"Blender {bpy.app.version_string}; a turn may last {milliseconds(LONGEST)}")
    print(COLUMNS.format("job", "seconds", "turns", "longest", "computing", "99%", "woke late", "evaluate", "push"))
    bpy.context.preferences.addons.new().module = "pchmr"
    registration.register()
    failed = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        jobs = [bench_clip(options.clip, options.backend.absolute(), folder)] if options.clip else []
        jobs.append(bench_take(f"{FRAMES} frames", bulging_take(folder / "made up.take", FRAMES)))
        jobs += [bench_take(take.stem, take) for take in options.takes]
        for what, times in (row for job in jobs for row in job):
            usual = float(np.quantile(times.turns, 0.99))
            figures = (times.longest, times.computing, usual, max(times.late), times.evaluation, times.push)
            row = (what, f"{times.total:.1f}", len(times.turns), *map(milliseconds, figures))
            print(COLUMNS.format(*row), "" if times.passed else "MISSED", flush=True)
            failed += not times.passed
        session.current.close()
    return min(failed, 1)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # as tests/blender/run.py does: some Blenders crash or hang as they end
