# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a take that were made again are shown: in the body's form, the skeleton's keys and the targets' base bones.

Everything else stays as it is, bit by bit. Until all of it is done, nothing counts as known of the rows: what was
stopped in the middle, by a crash say, is found and done again.

No data-block comes or goes here: all this may happen without a step of undo, and an undo keeps data-blocks that are the
same in both steps, with their references to what would be gone.
"""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.form_costs import Form
from ..core.prepare_rows import PreparedRows, prepare_rows
from ..core.relocate import cache_folder
from ..core.skeleton import BONE_NAMES
from ..core.takes import PersonView
from ..steps import InThread, Status, Steps
from . import versions
from .aside import undisturbed
from .body import check_body
from .body_forms import Subject, form_of
from .edits import row_frames
from .handles import Handle, part_of, placing_of, resolve
from .mesh_cache import mend_cache
from .refresh_body import STAGE, refresh_cache, refresh_correctives, refresh_row_keys, replace_correctives
from .row_curves import write_rows, write_turns
from .shown_rows import note_shown
from .take_paths import open_person
from .targets import base_name

_STILL: Final = (0.0, 0.0, 0.0)


def refresh(handle: Handle, rows: ArrayLike) -> Steps[None]:
    """Show the take's present rows in place of those that were shown.

    Args:
        handle: the person.
        rows: (n,) of the take.

    Raises:
        SceneChanged: the person or a part is gone.
        BadArgument: the body's mesh was edited, or a row that the compressed form cannot hold within its tolerance.
        TakeNotFound, TakeMismatch, TakeVersion, TakeCorrupt: the take cannot be read.
        CacheCorrupt, OutputNotWritable, DiskFull: the mesh cache cannot be written.
    """
    wanted = np.unique(np.asarray(rows, np.int64))
    if len(wanted):
        yield from undisturbed(lambda: _refresh(handle, wanted))


def _refresh(handle: Handle, rows: NDArray[np.int64]) -> Steps[None]:
    view, person = open_person(resolve(handle))
    body, located = _subject(handle).body, _located(_subject(handle).skeleton)
    check_body(body, person)
    mend_cache(body, cache_folder(view.folder), person)
    # Bones of which no frame is stretched any more stand by their parents again, as in an import.
    asked = frozenset() if len(rows) == person.frame_count else located
    prepared = yield InThread(STAGE, lambda report, cancelled: prepare_rows(person, rows, asked))
    body = _subject(handle).body
    note_shown(body, np.zeros(person.frame_count, np.uint64), rows)
    yield from _refresh_body(handle, person, prepared)
    yield from _key_bones(handle, prepared, located)
    body = _subject(handle).body
    note_shown(body, prepared.hashes, rows)
    body.update_tag()


def _refresh_body(handle: Handle, person: PersonView, prepared: PreparedRows) -> Steps[None]:
    """The body's part, by its form; at rest it has none."""
    collection = resolve(handle)
    form, tolerance_mm = form_of(_subject(handle).body), collection.pchmr.tolerance_mm
    if form is Form.ABSOLUTE:
        yield from refresh_row_keys(lambda: _subject(handle), person, prepared.rows)
    elif form is Form.PC2:
        yield from refresh_cache(lambda: _subject(handle), person, prepared)
    elif form is Form.COMPRESSED and len(prepared.rows) == person.frame_count:
        # Nothing is left of the former keys: the fewest for the whole clip are found anew.
        yield from replace_correctives(lambda: _subject(handle), person, row_frames(collection), tolerance_mm)
    elif form is Form.COMPRESSED:
        frames = row_frames(collection)
        yield from refresh_correctives(lambda: _subject(handle), person, prepared, frames, tolerance_mm)


def _key_bones(handle: Handle, prepared: PreparedRows, located: frozenset[int]) -> Steps[None]:
    """The rows' keys of the skeleton and of the base bones."""
    for joint, bone in enumerate(BONE_NAMES):
        collection = resolve(handle)
        frames, skeleton, targets = (
            row_frames(collection),
            part_of(collection, "SKELETON"),
            part_of(collection, "TARGETS"),
        )
        path, pose = f'pose.bones["{bone}"]', prepared.bones
        write_turns(skeleton, f"{path}.rotation_quaternion", frames, prepared.rows, pose.quaternions[:, joint], bone)
        if joint in located or joint in pose.located:
            write_rows(skeleton, f"{path}.location", frames, prepared.rows, pose.locations[:, joint], _STILL, bone)
            skeleton.pose.bones[bone].lock_location = (False,) * 3
        path, pose = f'pose.bones["{base_name(bone)}"]', prepared.base
        write_rows(
            targets, f"{path}.location", frames, prepared.rows, pose.locations[:, joint], _STILL, base_name(bone)
        )
        write_turns(
            targets, f"{path}.rotation_quaternion", frames, prepared.rows, pose.quaternions[:, joint], base_name(bone)
        )
        yield Status(STAGE)


def _subject(handle: Handle) -> Subject:
    """The person's parts now. Raises SceneChanged."""
    collection = resolve(handle)
    return Subject(part_of(collection, "BODY"), part_of(collection, "SKELETON"), placing_of(collection))


def _located(skeleton: bpy.types.Object) -> frozenset[int]:
    """The joints whose bones have locations."""
    bag = versions.channels(skeleton)
    paths = {curve.data_path for curve in bag.fcurves} if bag else set()
    return frozenset(joint for joint, bone in enumerate(BONE_NAMES) if f'pose.bones["{bone}"].location' in paths)
