# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of target poses from Python: for scripts, and for `batch.py … --recalibrate`.

    from bl_ext.user_default.pchmr.pchmr_blender.edit_script import recalibrate
    recalibrate([{"frames": "12-40", "joint": "left_wrist", "offset": [0, 0.05, 0]}])
    recalibrate("shot 7/edits.json")

`core.edit_list` has the form of the edits.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import bpy

from ..inference_backend.errors import SceneChanged, TakeNotFound
from ..inference_backend.targets.parameters import read_layers
from ..inference_backend.targets.presets import load_cleanup
from . import session
from .activities import BackendJob, Work
from .backend.client import Client
from .core.edit_list import ListedEdit, load_edits, read_edits
from .core.relocate import same_place
from .operators.backend_jobs import launch, push_undo
from .recalibration import recalibration
from .scene.curve_stamp import stamp_of
from .scene.edit_state import layers_of, set_layers, stale
from .scene.handles import Handle, handle_of, part_of, resolve
from .scene.listed_edits import key_edits, planned
from .scene.take_paths import open_person, take_folder


@dataclass(frozen=True)
class Applied:
    """What became of a clip's edits."""

    changed: bool
    """Whether the .blend holds anything else than before."""
    rows: int
    """Frames of the take that were made again, of all people."""

    def line(self) -> str:
        """For people to read."""
        frames = "1 frame" if self.rows == 1 else f"{self.rows} frames"
        return f"{frames} made again" if self.changed or self.rows else "nothing to change"


def recalibrate(edits: str | os.PathLike[str] | Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> dict[str, Applied]:
    """Apply edits to the takes in the open file, make the frames again that become others, and wait for it.

    What an edit names is set, not added: the same edits applied again change nothing. With a window, it is one step of
    undo.

    Args:
        edits: the path of a JSON file, or what such a file holds.

    Returns:
        What became of each take's edits, by the name of the take's folder less its ending.

    Raises:
        BadArgument, PresetInvalid: an edit or a clean-up setting that cannot be applied; nothing was changed.
        SceneChanged: there is no take in the file, or a person's targets are gone.
        EnvironmentInvalid: the backend is not set up.
        RuntimeError: something else is under way.
        What `recalibration` raises: edits are keyed then, and their frames are made again with the next try.
    """
    listed = load_edits(Path(edits)) if isinstance(edits, (str, os.PathLike)) else read_edits(edits)
    takes = _takes()
    if not takes:
        raise SceneChanged("there is no take in this file", hint="Import one.")
    names = {folder: _names(people[0], folder) for folder, people in takes.items()}
    listed.require_clips(list(names.values()))
    client = session.current.client(launch())
    done: dict[str, Applied] = {}

    def work() -> Work:
        for folder, people in takes.items():
            if listed.cleanup is not None or listed.of_clip(names[folder]):
                done[names[folder][0]] = yield from applying(
                    people, listed.of_clip(names[folder]), listed.cleanup, client
                )

    session.current.begin(BackendJob("Recalibrating", client, work()))
    session.current.wait()
    push_undo("Recalibrate")
    return done


def applying(
    people: Sequence[bpy.types.Collection],
    edits: Iterable[ListedEdit],
    cleanup: str | Mapping[str, Any] | None,
    client: Client,
) -> Work:
    """Apply edits to the people of one take, and make the rows again that become others; returns `Applied`.

    Nothing is changed where an edit cannot be applied. Raises as `recalibrate`.
    """
    shown = {person.pchmr.person: person for person in reversed(people)}  # of copies the first
    views = {index: open_person(person)[1] for index, person in shown.items()}
    plan = planned(edits, shown, views)
    layers = {index: _layers(person, cleanup) for index, person in shown.items()}
    handles = {index: handle_of(person) for index, person in shown.items()}
    before = [_state(person) for person in shown.values()]
    again: set[tuple[int, int]] = set()  # with the layers first and then with the edits it is one frame
    for index, handle in handles.items():
        person, own = resolve(handle), [one for one in plan if one.person == index]
        set_layers(person, layers[index])
        if any(one.edit.to is not None for one in own):
            again |= yield from made_again(handle, client)  # a place is reached from the base pose of these layers
        person = resolve(handle)
        key_edits(person, open_person(person)[1], own)
        again |= yield from made_again(handle, client)
    after = [_state(resolve(handle)) for handle in handles.values()]
    return Applied(after != before or bool(again), len(again))


def made_again(handle: Handle, client: Client) -> Generator[Any, Any, set[tuple[int, int]]]:
    """Make a person's stale rows again; which, after the person's index. Raises what `recalibration` raises."""
    person = resolve(handle)
    index, rows = person.pchmr.person, stale(person, open_person(person)[1]).tolist()
    if rows:
        yield from recalibration(handle, client)
    return {(index, row) for row in rows}


def require_people(blend: Path, take: Path) -> list[bpy.types.Collection]:
    """The people of the open file, `blend`, who are of a take. Raises SceneChanged where nobody is."""
    people: list[bpy.types.Collection] = next(
        (people for folder, people in _takes().items() if same_place(folder, take)), []
    )
    if not people:
        hint = "Import the take there, or run the batch into another folder."
        raise SceneChanged(f"{blend} shows nobody of {take.name}", hint=hint, path=str(blend))
    return people


def _takes() -> dict[Path, list[bpy.types.Collection]]:
    """The people of the open file by the folder of their take, less those whose take is not found."""
    found: dict[Path, list[bpy.types.Collection]] = {}
    for person in bpy.data.collections:
        if person.pchmr.uuid and person.library is None:
            with contextlib.suppress(TakeNotFound):
                found.setdefault(take_folder(person), []).append(person)
    return found


def _names(person: bpy.types.Collection, folder: Path) -> tuple[str, ...]:
    """What edits may call the clip of a take."""
    clip = open_person(person)[0].info.clip.path
    return folder.name.removesuffix(".take"), PurePath(clip.replace("\\", "/")).name, folder.name


def _layers(person: bpy.types.Collection, cleanup: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """The person's clean-up layers with what is asked for. The strips of feet stay: a preset has none."""
    values = layers_of(person)
    if isinstance(cleanup, str):
        strips = values["foot_contact"]["strips"]
        values = load_cleanup(cleanup).values()
        values["foot_contact"]["strips"] = strips
    elif cleanup is not None:
        for name, entries in cleanup.items():
            values[name] = {**values.get(name, {}), **entries} if isinstance(entries, Mapping) else entries
    return read_layers(values).values()


def _state(person: bpy.types.Collection) -> tuple[str, str, bytes]:
    """What the .blend holds of a person's edits."""
    own = person.pchmr_edit
    return own.layers, own.committed, stamp_of(part_of(person, "TARGETS"))
