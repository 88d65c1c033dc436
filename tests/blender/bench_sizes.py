"""What the forms of the body's animation take in a .blend: `make bench`, through bench_forms.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pchmr.pchmr_blender.core.form_costs import Form, form_cost
from pchmr.pchmr_blender.core.takes import TakeView
from pchmr.pchmr_blender.scene.actions import remove_action
from pchmr.pchmr_blender.scene.body_forms import remove_form, set_form

from .benches import PLACING, FirstRows, Row, saved, seconds_of, stage

SHARES = ((300, 0.25), (3000, 0.15))
"""Frames, and the compressed form's largest share of the absolute one's size."""
NOTHING = 1 << 12
"""Bytes that a clip may add to the .blend in the mesh cache's form, however long it is."""


def bench_cache_size(view: TakeView, folder: Path) -> Iterator[Row]:
    """What a mesh cache's clip adds to the .blend: of few frames and of all."""
    added = []
    for frames in (10, view.people[0].frame_count):
        person = FirstRows(view.people[0], frames)
        body, skeleton = stage(view, person)
        set_form(body, skeleton, person, PLACING, Form.PC2, cache_folder=folder)
        whole = saved(folder)
        remove_form(body, skeleton)
        added.append(whole - saved(folder))
    found = f"{added[1]:,} bytes, of 10 frames {added[0]:,}"
    yield Row(f"mesh cache of {frames:,} frames in the .blend", found, f"≤ {NOTHING:,}", max(added) <= NOTHING)


def bench_compressed(view: TakeView, index: int, folder: Path) -> Iterator[Row]:
    """A person's compressed form as it is saved, over the absolute keys'; whole, and the first 300 frames.

    The skeleton is there in both forms, so the mark is for what differs; the second row counts it in.
    """
    person = view.people[index]
    total = len(person.seconds)
    for frames in sorted({min(total, 300), total}):
        part = FirstRows(person, frames)
        body, skeleton = stage(view, part)
        still = saved(folder)

        def work(part=part, body=body, skeleton=skeleton) -> None:
            set_form(body, skeleton, part, PLACING, Form.COMPRESSED, cache_folder=folder)

        took = seconds_of(work)
        keys = len(body.data.shape_keys.key_blocks) - 1 if body.data.shape_keys else 0
        absolute = form_cost(Form.ABSOLUTE, frames, person.vertex_count, 1.0).blend
        share = (saved(folder) - still) / absolute
        shapes = keys * person.vertex_count * 12 / absolute
        remove_form(body, skeleton)
        bones = saved(folder)
        remove_action(skeleton)
        bones = (bones - saved(folder)) / absolute
        mark = next((most for count, most in SHARES if 0.9 * count <= frames <= 1.5 * count), None)
        yield Row(
            f"compressed to 1 mm, {view.folder.name} person {index}, {frames:,} frames",
            f"{share:.1%} of absolute: {keys} keys {shapes:.1%}, their curves {share - shapes:.1%} ({took:.1f} s)",
            f"≤ {mark:.0%}" if mark else "",
            share <= mark if mark else None,
        )
        yield Row(
            "  with the skeleton's curves, which either form needs",
            f"{share + bones:.1%}, the absolute form {1 + bones:.1%}: {(share + bones) / (1 + bones):.1%} of it",
        )
