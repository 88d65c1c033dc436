"""How much heavier an undo step gets beside an imported take: `make bench`, through bench_forms.py."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

import bpy

from pchmr.pchmr_blender.core.form_costs import Form

from .benches import Row, seconds_of
from .scenes import bring, registered

MOST_MS = 50.0
REPEATS = 9


def bench_undo(take: Path, frames: int) -> Iterator[Row]:
    """An undo step of a moved object, beside a whole import of the take and in an empty scene."""
    with registered():
        empty = _undo_step(None, Form.PC2)
        for form in Form:
            cost = (_undo_step(take, form) - empty) * 1e3
            judged = form is not Form.ABSOLUTE
            yield Row(
                f"undo step beside {frames:,} frames, {form.value.lower()}",
                f"{cost:+.1f} ms; {empty * 1e3:.1f} ms in an empty scene",
                f"≤ {MOST_MS:.0f} ms" if judged else "",
                cost <= MOST_MS if judged else None,
            )


def _undo_step(take: Path | None, form: Form) -> float:
    """Seconds of an undo push after an object was moved; the first pushes, which copy everything, do not count."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.edit.use_global_undo = True
    thing = bpy.data.objects.new("Thing", None)
    bpy.context.scene.collection.objects.link(thing)
    if take is not None:
        bring(take, form=form)
    times = []
    for _ in range(REPEATS):
        thing.location.x += 1
        bpy.context.view_layer.update()
        times.append(seconds_of(lambda: bpy.ops.ed.undo_push(message="move")))
    return statistics.median(times[2:])
