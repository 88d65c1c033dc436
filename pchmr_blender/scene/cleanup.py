# SPDX-License-Identifier: GPL-3.0-or-later
"""The clean-up of a person in the file: its layers, the strips in which its feet stand, and what the layers do.

The owner of all parameters is the text `Collection.pchmr_edit.layers`, which `edit_state` reads and writes; whatever
shows or changes one goes through here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import bpy

from ...inference_backend.errors import BackendError, BadArgument, SceneChanged
from ...inference_backend.targets.parameters import Layers, Strip, read_layers
from ..core import layer_effects
from ..core.contact_strips import Clock, Strips
from ..core.layer_effects import Measured
from ..problems import in_words
from .edit_state import layers_of, set_layers, wanted
from .edits import row_frames
from .evidence import evidence_of, read_evidence
from .handles import find_part, placing_of
from .shown_rows import differing

_BROKEN: Final = "Take them over from the take."


def layers_in(person: bpy.types.Collection) -> Layers | None:
    """The layers; None in a file from before it kept them. Raises BadArgument for a text that is no layers."""
    text = person.pchmr_edit.layers
    return _parsed(text) if text else None


def required_layers(person: bpy.types.Collection) -> Layers:
    """The layers. Raises SceneChanged where the file has none, and as `layers_in`."""
    layers = layers_in(person)
    if layers is None:
        raise SceneChanged(f"{person.name} has no clean-up in this file", hint="Take it over from the take.")
    return layers


def write_layers(person: bpy.types.Collection, layers: Layers) -> None:
    """Keep other parameters, and list their strips. The mesh follows when they are applied. Raises BadArgument."""
    set_layers(person, layers.values())
    person.pchmr_cleanup.problem = ""
    show_strips(person)


def layers_or_told(person: bpy.types.Collection) -> Layers | None:
    """For drawing: the layers; None where `trouble` says why there are none."""
    try:
        return layers_in(person)
    except BadArgument:
        return None


def trouble(person: bpy.types.Collection) -> str:
    """What is wrong with the parameters, as two sentences; empty where nothing is."""
    try:
        if layers_in(person) is not None:
            return str(person.pchmr_cleanup.problem)
    except BadArgument as error:
        return in_words(error)
    return "This file does not hold the take's clean-up yet. Take it over from the take."


def told(person: bpy.types.Collection, work: Callable[[], None]) -> None:
    """For sliders, which cannot fail: do it; what is refused stands in the panel."""
    try:
        work()
    except BackendError as error:
        person.pchmr_cleanup.problem = in_words(error)


def adopt_layers(person: bpy.types.Collection) -> None:
    """Take the parameters over from the take, where the file has none, or none that can be read.

    Raises what `edit_state.layers_of` raises.
    """
    person.pchmr_edit.layers = ""
    write_layers(person, read_layers(layers_of(person)))


# Foot contact strips.


def strips_in(person: bpy.types.Collection) -> Strips | None:
    """The artist's strips; None where they are detected."""
    layers = layers_or_told(person)
    return None if layers is None else layers.foot_contact.strips


def strips_shown(person: bpy.types.Collection) -> Strips:
    """The artist's strips, else the detected ones as far as they are known."""
    own, measured = strips_in(person), measured_of(person)
    return own if own is not None else measured.strips if measured is not None else ()


def write_strips(person: bpy.types.Collection, strips: Strips | None) -> None:
    """Keep other strips; None: those that are detected. Raises BadArgument, SceneChanged."""
    layers = required_layers(person)
    write_layers(person, replace(layers, foot_contact=replace(layers.foot_contact, strips=strips)))


def chosen_strip(person: bpy.types.Collection) -> tuple[Strips, int]:
    """The artist's strips, and which is chosen in the list. Raises SceneChanged where none is."""
    strips, index = strips_in(person), person.pchmr_cleanup.strip
    if not strips or not 0 <= index < len(strips):
        raise SceneChanged("no strip is chosen", hint="Choose one in the list of strips.")
    return strips, index


def show_strips(person: bpy.types.Collection) -> None:
    """Let the list have as many rows as there are strips; each row looks up its own."""
    rows, count = person.pchmr_cleanup.strips, len(strips_in(person) or ())
    while len(rows) > count:
        rows.remove(len(rows) - 1)
    while len(rows) < count:
        row = rows.add()
        row.index = len(rows) - 1
    person.pchmr_cleanup.strip = max(0, min(person.pchmr_cleanup.strip, count - 1))
    _redraw_timelines()


def clock_of(person: bpy.types.Collection) -> Clock:
    """Where the take stands on the timeline. Raises as `take_paths.open_person`."""
    return Clock(placing_of(person), (evidence_of(person) or read_evidence(person)).seconds)


def strip_of_row(person: bpy.types.Collection, index: int) -> Strip | None:
    """The strip of a row of the list; None for a row too many, as after a script has changed the layers."""
    strips = strips_in(person) or ()
    return strips[index] if index < len(strips) else None


# What the layers do.


def keep_effects(person: bpy.types.Collection, layers: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    """Keep what the backend's `effects` or `recalibrate` says of these parameters."""
    person.pchmr_edit.reports = layer_effects.written(read_layers(layers).canonical(), told)
    _redraw_timelines()


def measured_of(person: bpy.types.Collection) -> Measured | None:
    """What is known of the layers' effects; None before they were first measured."""
    return layer_effects.read(person.pchmr_edit.reports)


def is_outdated(person: bpy.types.Collection) -> bool:
    """Whether parameters have changed since the effects were measured."""
    measured = measured_of(person)
    return measured is not None and measured.layers != person.pchmr_edit.layers


def frames_behind(person: bpy.types.Collection) -> tuple[int, int] | None:
    """How many frames show something else than layers and edits say, and of how many; None where nobody knows.

    It reads what the file notes of its frames, which is quick; the take may be behind, too.
    """
    body = find_part(person, "BODY")
    if body is None or find_part(person, "TARGETS") is None:
        return None
    try:
        count = len(row_frames(person))
        return int(differing(body, wanted(person, count).hashes).sum()), count
    except BackendError:  # applying says why
        return None


def _redraw_timelines() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "DOPESHEET_EDITOR":
                area.tag_redraw()


@lru_cache(maxsize=32)  # each slider that is drawn asks for it
def _parsed(text: str) -> Layers:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise BadArgument(f"the clean-up's parameters cannot be read: {error}", hint=_BROKEN) from error
    if not isinstance(values, dict):
        raise BadArgument("the clean-up's parameters are no table", hint=_BROKEN)
    return read_layers(values)
