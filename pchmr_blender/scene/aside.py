# SPDX-License-Identifier: GPL-3.0-or-later
"""Making data-blocks over many turns of Blender's window, where its user cannot reach them, until all is there.

Between two turns the user works on: undoes, loads a file, purges what nobody uses. Blender's undo knows a data-block
only from the next push on. It takes away what was made since, and references into it, all others included, are dead.
It brings back what was half made when somebody pushed. So what is made is noted by its `session_uid`, which no undo
changes; where it was disturbed, what is left of it is removed and it is made again; and after each undo what was never
finished goes.

Data-blocks are marked as runtime data as long as they are not finished: they are in no .blend that is saved meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Final, TypeVar

import bpy
import numpy as np
from bpy.app.handlers import persistent

from ..steps import InThread, Status, Steps
from .free_hands import free_hands
from .scene_change import remove_objects

T = TypeVar("T")
R = TypeVar("R")

_ours: Final[set[int]] = set()
"""The `session_uid` of all that was ever made aside here, finished or not."""
_disturbances = 0
"""Undos, redos and loads so far."""


class _DisturbedError(Exception):
    """References into Blender's data are dead, or what was made is gone."""


def aside(build: Callable[[], Steps[T]], settle: Callable[[T], R]) -> Steps[R]:
    """Make something in steps, and give it its place in the last; what `settle` returns.

    Where a step or `settle` fails, or the work is cancelled, everything that was made is removed.

    Args:
        build: begins the making. Its data-blocks are in no scene and no collection. It may keep references to them,
            not to their parts, over a yield, and to nothing else; it has nothing to clean up. Where it is disturbed
            it is closed and begun again.
        settle: gets what `build` returns; all or nothing, in one step.
    """
    while True:
        yield from free_hands()
        made = _Made()
        try:
            built = yield from made.in_steps(build())
            settled = settle(built)
        except _DisturbedError:
            made.remove()
            continue
        except BaseException:
            made.remove()
            raise
        made.finish()
        return settled


@persistent
def after_undo(*_: Any) -> None:
    """Handler of `undo_post` and `redo_post`: what came back and was never finished goes."""
    disturb()
    while lost := [item for item in bpy.data.objects if item.users == 0 and item.session_uid in _ours]:
        materials = [slot.material for item in lost for slot in item.material_slots if slot.material]
        remove_objects(lost)
        bpy.data.batch_remove({material for material in materials if material.users == 0})


@persistent
def disturb(*_: Any) -> None:
    """Handler of `load_post`: references are dead."""
    global _disturbances
    _disturbances += 1


def undisturbed(begin: Callable[[], Steps[T]]) -> Steps[T]:
    """Take steps that change what is in the scene; where an undo, a redo, a load or a mode of Blender's comes between
    two of them they are closed and begun again.
    """
    while True:
        yield from free_hands()
        steps, answer = begin(), None
        try:
            while True:
                try:
                    step = steps.send(answer)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                disturbances = _disturbances
                answer = yield step
                edited = yield from free_hands()
                if edited or disturbances != _disturbances:
                    break
        finally:
            steps.close()


class _Made:
    """What was made so far."""

    def __init__(self) -> None:
        self._uids: set[int] = set()

    def in_steps(self, steps: Steps[T]) -> Generator[Status | InThread[Any] | str, Any, T]:
        """Take the steps and note what each makes. Raises _DisturbedError."""
        answer = None
        while True:
            before = _all_uids()
            if not self._uids <= before:
                raise _DisturbedError
            try:
                step = steps.send(answer)
            except StopIteration as end:
                self._note(before)
                return end.value  # type: ignore[no-any-return]
            except BaseException:
                self._note(before)
                raise
            self._note(before)
            disturbances = _disturbances
            answer = yield step
            edited = yield from free_hands()
            if edited or disturbances != _disturbances:
                raise _DisturbedError

    def _note(self, before: set[int]) -> None:
        after = _all_uids()
        new = after - before
        self._uids = (self._uids | new) & after
        _ours.update(new)
        for item in _items(new):
            item.is_runtime_data = True

    def finish(self) -> None:
        """It has its place."""
        for item in _items(self._uids):
            item.is_runtime_data = False

    def remove(self) -> None:
        """Remove what is left of it."""
        bpy.data.batch_remove(list(_items(self._uids)))


def _all_uids() -> set[int]:
    """Of every data-block of the file."""
    found: set[int] = set()
    for items in _kinds():
        uids = np.empty(len(items), np.uint32)
        items.foreach_get("session_uid", uids)
        found.update(uids.tolist())
    return found


def _items(uids: set[int]) -> Iterator[bpy.types.ID]:
    """The data-blocks that are there of these."""
    if uids:
        yield from [item for items in _kinds() for item in items if item.session_uid in uids]


def _kinds() -> Iterator[Any]:
    """Blender's collections of data-blocks."""
    for entry in bpy.data.bl_rna.properties:
        if entry.type == "COLLECTION":
            yield getattr(bpy.data, entry.identifier)
