"""What the three forms of the body's animation cost: `make bench`.

    .cache/bpy/5.0.1/bin/python tests/blender/bench_forms.py [TAKE …]

The compressed form is measured on takes, as real motion has it, whole and in their first 300 frames; the rest on a
made-up take of the shipped body. Prints a table; fails where a figure misses its mark.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import tests.conftest  # noqa: F401  loads the root as `pchmr`
from pchmr.inference_backend.take import open_take
from pchmr.pchmr_blender.core import pc2
from pchmr.pchmr_blender.core.takes import TakeView, open_view
from pchmr.pchmr_blender.scene.actions import new_action, remove_action
from pchmr.pchmr_blender.scene.shape_keys import add_row_keys
from pchmr.pchmr_blender.steps import drain
from tests.blender.bench_sizes import bench_cache_size, bench_compressed
from tests.blender.bench_undo import bench_undo
from tests.blender.benches import PLACING, FirstRows, Row, bulging_take, seconds_of, show, stage
from tests.blender.parts import create_targets, key_skeleton, key_targets

FRAMES, LONG = 1000, 10_000
REPEATS = 9
CURVES_MS, IMPORT_SHARE, PC2_RATIO = 150.0, 0.85, 1.5


def bench_keys(view: TakeView) -> Iterator[Row]:
    """Adding a key a frame, against a loop that does nothing else with the rows as they lie in the take, in turns."""
    person = view.people[0]
    body, _ = stage(view, person)
    rows = open_take(view.folder).person(0).array("vertices")

    def bare(holder: bpy.types.Object) -> None:
        holder.shape_key_add(name="Basis", from_mix=False)
        keys = holder.data.shape_keys
        keys.use_relative = False
        for row in range(FRAMES):
            keys.eval_time = row + 1
            holder.shape_key_add(name=f"{row}", from_mix=False).points.foreach_set("co", rows[row].ravel())

    def ours(holder: bpy.types.Object) -> None:
        drain(add_row_keys(holder, person))

    times: dict[object, list[float]] = {bare: [], ours: []}
    for _ in range(REPEATS):
        for work in (bare, ours):
            mesh = body.data.copy()
            holder = bpy.data.objects.new("holder", mesh)
            times[work].append(seconds_of(lambda work=work, holder=holder: work(holder)))
            bpy.data.objects.remove(holder)
            bpy.data.meshes.remove(mesh)
    loop, own = min(times[bare]), min(times[ours])
    found = f"{own:.3f} s, bare loop {loop:.3f} s: {loop / own:.0%} of its speed"
    yield Row(f"absolute keys, {FRAMES:,} frames", found, f"≥ {IMPORT_SHARE:.0%}", loop / own >= IMPORT_SHARE)


def bench_curves(view: TakeView) -> Iterator[Row]:
    """All keys of skeleton and targets, from the take to F-curves of new actions. Other programs do not count."""
    person = view.people[0]
    _, skeleton = stage(view, person)
    targets = create_targets(person, PLACING, bpy.context.scene.collection, "Clip")
    work = ((skeleton, key_skeleton), (targets, key_targets))
    times: list[list[float]] = [[], []]
    for _ in range(REPEATS):
        for (rig, key), column in zip(work, times, strict=True):
            remove_action(rig)
            new_action(rig, "Clip")
            start = time.thread_time()
            key(rig, person, PLACING)
            column.append((time.thread_time() - start) * 1e3)
    took = [statistics.median(column) for column in times]
    whole = sum(took)
    found = f"{whole:.0f} ms: skeleton {took[0]:.0f}, targets {took[1]:.0f}"
    yield Row(
        f"curves of skeleton and targets, {FRAMES:,} frames", found, f"< {CURVES_MS:.0f} ms", sum(took) < CURVES_MS
    )


def bench_cache(view: TakeView, folder: Path) -> Iterator[Row]:
    """Evaluating frames of a long cache and of a short one, in turns."""
    person = view.people[0]
    short, long = folder / "short.pc2", folder / "long.pc2"
    batch = person.vertices(0, 300)

    def rows(start: int, stop: int) -> np.ndarray:
        return batch[np.arange(start, stop) % len(batch)]

    for path, count in ((short, 300), (long, LONG)):
        pc2.write(path, person.vertex_count, count, rows, lambda done, total: None)
    body, _ = stage(view, FirstRows(person, 2))
    modifier = body.modifiers.new("Mesh Cache", "MESH_CACHE")
    modifier.cache_format, modifier.play_mode, modifier.time_mode = "PC2", "CUSTOM", "FRAME"
    times: dict[Path, list[float]] = {short: [], long: []}
    random = np.random.default_rng(0)
    for _ in range(60):
        for path, count in ((short, 300), (long, LONG)):
            modifier.filepath, modifier.eval_frame = str(path), float(random.integers(count))
            times[path].append(seconds_of(bpy.context.view_layer.update))
    at_300, at_10000 = (statistics.median(times[path]) * 1e3 for path in (short, long))
    ratio = at_10000 / at_300
    found = f"{at_10000:.2f} ms, of 300 {at_300:.2f} ms: {ratio:.2f} ×"
    yield Row(f"mesh cache, a frame of {LONG:,}", found, f"≤ {PC2_RATIO} ×", ratio <= PC2_RATIO)


def main() -> int:
    print(f"Blender {bpy.app.version_string}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        view = open_view(bulging_take(folder / "made up.take", FRAMES))
        parts = [
            bench_keys(view),
            bench_curves(view),
            bench_cache(view, folder),
            bench_cache_size(view, folder),
            bench_undo(view.folder, FRAMES),
        ]
        for take in (open_view(Path(word)) for word in sys.argv[1:]):
            parts += [bench_compressed(take, person.index, folder) for person in take.people]
        return min(show(row for part in parts for row in part), 1)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # as tests/blender/run.py does: some Blenders crash or hang as they end
