"""What the three forms of the body's animation cost: `make bench`.

    .cache/bpy/5.0.1/bin/python tests/blender/bench_forms.py [TAKE …]

The compressed form is measured on takes, as real motion has it, whole and in their first 300 frames; the rest on a
made-up clip of the shipped body. Prints a table; fails where a figure misses its mark.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import tests.conftest  # noqa: E402, F401  loads the root as `pchmr`
from pchmr.inference_backend.take import open_take  # noqa: E402
from pchmr.pchmr_blender.core import pc2  # noqa: E402
from pchmr.pchmr_blender.core.form_costs import Form, form_cost  # noqa: E402
from pchmr.pchmr_blender.core.takes import TakeView, open_view  # noqa: E402
from pchmr.pchmr_blender.core.timing import Placing  # noqa: E402
from pchmr.pchmr_blender.scene.actions import remove_action  # noqa: E402
from pchmr.pchmr_blender.scene.body import create_body  # noqa: E402
from pchmr.pchmr_blender.scene.body_forms import set_form  # noqa: E402
from pchmr.pchmr_blender.scene.shape_keys import mesh_with_keys  # noqa: E402
from pchmr.pchmr_blender.scene.skeleton import create_skeleton  # noqa: E402
from tests.blender.bodies import shipped  # noqa: E402
from tests.blender.takes import make_take  # noqa: E402

FRAMES, LONG = 1000, 10_000
PLACING = Placing(fps=30.0, start=1.0)
REPEATS = 9
UNDO_MS, IMPORT_SHARE, PC2_RATIO = 50.0, 0.85, 1.5
SIZES = ((300, 0.25), (3000, 0.15))
"""Frames, and the compressed form's largest share of the absolute one's size."""


@dataclass(frozen=True)
class Row:
    """A figure and its mark."""

    what: str
    found: str
    mark: str
    passed: bool | None
    """None where the mark is not meant for it."""


class FirstRows:
    """A person's first frames."""

    def __init__(self, person: Any, count: int) -> None:
        self._person, self.frame_count = person, count
        for name in ("seconds", "frames", "rotations", "joints"):
            setattr(self, name, getattr(person, name)[:count])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._person, name)

    def vertices(self, start: int, stop: int) -> np.ndarray:
        return self._person.vertices(start, min(stop, self.frame_count))


class Bulging(FirstRows):
    """With offsets that need about as many corrective keys as footage of that length does."""

    def __init__(self, person: Any, kinds: int = 70) -> None:
        super().__init__(person, len(person.seconds))
        random = np.random.default_rng(0)
        self._shapes = random.normal(scale=0.001, size=(kinds, person.vertex_count * 3)).astype(np.float32)
        self._rates = random.uniform(0.02, 0.5, kinds)

    def vertices(self, start: int, stop: int) -> np.ndarray:
        amounts = np.sin(np.arange(start, stop)[:, None] * self._rates).astype(np.float32)
        return super().vertices(start, stop) + (amounts @ self._shapes).reshape(stop - start, -1, 3)


def quiet(done: int, total: int) -> None:
    pass


def stage(view: TakeView, person: Any) -> tuple[bpy.types.Object, bpy.types.Object]:
    """An empty file with a skeleton and a body in it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    collection = bpy.data.collections.new("Clip")
    bpy.context.scene.collection.children.link(collection)
    skeleton = create_skeleton(person, PLACING, collection, "Clip")
    return create_body(person, view.topology, collection, "Clip"), skeleton


def seconds_of(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bench_import(view: TakeView) -> Iterator[Row]:
    """Adding a key a frame, against a loop that does nothing else with the rows as they lie in the take, in turns."""
    person = view.people[0]
    body, _ = stage(view, person)
    rows = open_take(view.folder).person(0).array("vertices")

    def bare() -> None:
        mesh = body.data.copy()
        holder = bpy.data.objects.new("bare", mesh)
        holder.shape_key_add(name="Basis", from_mix=False)
        keys = holder.data.shape_keys
        keys.use_relative = False
        for row in range(FRAMES):
            keys.eval_time = row + 1
            holder.shape_key_add(name=f"{row}", from_mix=False).points.foreach_set("co", rows[row].ravel())
        bpy.data.objects.remove(holder)
        bpy.data.meshes.remove(mesh)

    def ours() -> None:
        bpy.data.meshes.remove(mesh_with_keys(body.data, person, quiet))

    pairs = [(seconds_of(bare), seconds_of(ours)) for _ in range(REPEATS)]
    loop, own = (min(times) for times in zip(*pairs, strict=True))
    found = f"{own:.3f} s, bare loop {loop:.3f} s: {loop / own:.0%} of its speed"
    yield Row(f"absolute keys, {FRAMES} frames", found, f"≥ {IMPORT_SHARE:.0%}", loop / own >= IMPORT_SHARE)


def bench_undo(view: TakeView, folder: Path) -> Iterator[Row]:
    """An undo step of a moved object, beside a take and in an empty scene."""
    person = Bulging(view.people[0])
    bpy.ops.wm.read_factory_settings(use_empty=True)
    empty = undo_step()
    for form in Form:
        body, skeleton = stage(view, person)
        set_form(body, skeleton, person, PLACING, form, cache_folder=folder, tick=quiet)
        cost = (undo_step() - empty) * 1e3
        found = f"{cost:+.1f} ms"
        judged = form is not Form.ABSOLUTE
        yield Row(
            f"undo step beside {FRAMES} frames, {form.value.lower()}",
            found,
            f"≤ {UNDO_MS:.0f} ms" if judged else "",
            cost <= UNDO_MS if judged else None,
        )


def undo_step() -> float:
    """Seconds of an undo push after an object was moved; the first pushes, which copy everything, do not count."""
    thing = bpy.data.objects.new("Thing", None)
    bpy.context.scene.collection.objects.link(thing)
    times = []
    for _ in range(REPEATS):
        thing.location.x += 1
        bpy.context.view_layer.update()
        times.append(seconds_of(lambda: bpy.ops.ed.undo_push(message="move")))
    return statistics.median(times[2:])


def bench_cache(view: TakeView, folder: Path) -> Iterator[Row]:
    """Evaluating frames of a long cache and of a short one, in turns."""
    person = view.people[0]
    short, long = folder / "short.pc2", folder / "long.pc2"
    batch = person.vertices(0, 300)

    def rows(start: int, stop: int) -> np.ndarray:
        return batch[np.arange(start, stop) % len(batch)]

    for path, count in ((short, 300), (long, LONG)):
        pc2.write(path, person.vertex_count, count, rows, quiet)
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


def bench_compressed(view: TakeView, index: int, folder: Path) -> Iterator[Row]:
    """A person's compressed form as it is saved, over the absolute keys'."""
    person = view.people[index]
    total = len(person.seconds)
    for frames in sorted({min(total, 300), total}):
        part = FirstRows(person, frames)
        body, skeleton = stage(view, part)
        still = saved(folder)
        took = seconds_of(
            lambda part=part, body=body, skeleton=skeleton: set_form(
                body, skeleton, part, PLACING, Form.COMPRESSED, cache_folder=folder, tick=quiet
            )
        )
        keys = len(body.data.shape_keys.key_blocks) - 1 if body.data.shape_keys else 0
        absolute = form_cost(Form.ABSOLUTE, frames, person.vertex_count, 1.0).blend
        share = (saved(folder) - still) / absolute
        remove_action(skeleton)
        bones = (still - saved_without_keys(body, folder)) / absolute
        mark = next((most for count, most in SIZES if frames >= 0.9 * count and frames <= 1.5 * count), None)
        yield Row(
            f"compressed to 1 mm, {view.folder.name} person {index}, {frames} frames",
            f"{share:.1%} of absolute ({keys} keys, {took:.1f} s); the skeleton's curves are {bones:.1%} more",
            f"≤ {mark:.0%}" if mark else "",
            share <= mark if mark else None,
        )


def saved_without_keys(body: bpy.types.Object, folder: Path) -> int:
    if body.data.shape_keys:
        remove_action(body.data.shape_keys)
        body.shape_key_clear()
    return saved(folder)


def saved(folder: Path) -> int:
    """Bytes of the file as it is now."""
    path = folder / "size.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=False, copy=True)
    return path.stat().st_size


def main() -> int:
    print(f"Blender {bpy.app.version_string}")
    failed = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        view = open_view(make_take(folder / "made up.take", body=shipped(), frames=FRAMES))
        rows = [bench_import(view), bench_cache(view, folder), bench_undo(view, folder)]
        for take in (open_view(Path(word)) for word in sys.argv[1:]):
            rows += [bench_compressed(take, person.index, folder) for person in take.people]
        for row in (row for part in rows for row in part):
            verdict = {None: "", True: "ok", False: "MISSED"}[row.passed]
            print(f"{row.what:<72} {row.found:<72} {row.mark:<9} {verdict}", flush=True)
            failed += row.passed is False
    return min(failed, 1)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # as tests/blender/run.py does: some Blenders crash or hang as they end
