# SPDX-License-Identifier: GPL-3.0-or-later
"""Which button mends what is wrong: by the kind of error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..problems import Problem


@dataclass(frozen=True)
class Repair:
    """A button."""

    operator: str
    """Its operator."""
    text: str
    """What it says."""
    properties: Mapping[str, object] = field(default_factory=dict)
    """What the operator is given."""


_CPU: Final = Repair("pchmr.use_cpu", "Use the CPU")
_PREFERENCES: Final = Repair("pchmr.show_preferences", "Preferences…")
_SET_UP: Final = Repair("pchmr.plan_setup", "Set Up Backend")
_CHECK: Final = Repair("pchmr.check_backend", "Check the Backend")
_MODELS: Final = Repair("pchmr.install_models", "Get the Models")
_CLIP: Final = Repair("pchmr.choose_clip", "Choose Another Clip…")
_REPLACE: Final = Repair("pchmr.reconstruct_clip", "Replace the Take", {"overwrite": True})
_ELSEWHERE: Final = Repair("pchmr.choose_output", "Choose Another Folder…")

_FIND: Final = Repair("pchmr.relink_take", "Find Take…")
_CACHE: Final = Repair("pchmr.set_form", "Make the Mesh Cache Again…")
_STAND_IN: Final = Repair("pchmr.make_stand_in", "Make Stand-In")

_OF_PERSONS: Final[Mapping[str, tuple[Repair, ...]]] = {
    "CacheCorrupt": (_CACHE,),
    "ClipNotFound": (Repair("pchmr.make_stand_in", "Look for the Footage Again"),),
    "UnsupportedVideo": (_STAND_IN,),
    **dict.fromkeys(("TakeNotFound", "TakeMismatch", "TakeVersion", "TakeCorrupt"), (_FIND,)),
}

_OF_REASONS: Final[Mapping[str, Repair]] = {
    "online_access": Repair("extensions.userpref_allow_online", "Allow Online Access"),
    "device": _CPU,
}
"""The one button where a kind's reason says more than the kind."""

_UNREADABLE: Final = frozenset({"TakeCorrupt", "TakeVersion"})
"""Kinds that say that a take cannot be imported as it is."""

REPAIRS: Final[Mapping[str, tuple[Repair, ...]]] = {
    "EnvironmentInvalid": (_SET_UP, _PREFERENCES),
    "ProtocolMismatch": (_SET_UP,),
    "SetupFailed": (_SET_UP,),
    "NoNetwork": (_SET_UP,),
    "BackendDied": (_CHECK, _PREFERENCES),
    "WeightsMissing": (_MODELS, _PREFERENCES),
    "WeightsCorrupt": (_MODELS,),
    "ClipNotFound": (_CLIP,),
    "UnsupportedVideo": (_CLIP,),
    "NoPersonFound": (_CLIP,),
    "PresetInvalid": (
        Repair("pchmr.use_preset", "Use the Default Preset", {"name": "default"}),
        Repair("pchmr.use_clip_cleanup", "Use the Default Clean-up", {"name": "default"}),
    ),
    "TakeMismatch": (_REPLACE, _ELSEWHERE),
    "TakeCorrupt": (_REPLACE,),
    "TakeVersion": (_REPLACE,),
    "TakeNotFound": (_FIND,),
    "OutputNotWritable": (_ELSEWHERE,),
    "DiskFull": (_ELSEWHERE,),
    "CacheCorrupt": (_CACHE,),
    "ExportRefused": (Repair("pchmr.set_form", "Change Form…"),),
    "OutOfMemory": (_CPU,),
}
"""Kinds that are not here have no button: their hint says what a person can do."""


def repairs_of_person(kind: str) -> tuple[Repair, ...]:
    """The buttons that stand below what is wrong with a person's take, cache or footage."""
    return _OF_PERSONS.get(kind, (_FIND, _STAND_IN))


def repairs_for(problem: Problem, asked: Iterable[Path] = ()) -> tuple[Repair, ...]:
    """The buttons that stand below a problem. `asked`: the takes one of which Reconstruct Clip would write now."""
    if problem.reason in _OF_REASONS:
        return (_OF_REASONS[problem.reason],)
    again = (Repair("pchmr.import_take", "Import the Take", {"directory": problem.take}),)
    mending = REPAIRS.get(problem.kind, ())
    if not {*asked} & {Path(problem.path), *Path(problem.path).parents}:
        # Of another clip by now, or imported by itself: another take than this one would be deleted.
        mending = tuple(repair for repair in mending if repair is not _REPLACE)
    return (*(again if problem.take and problem.kind not in _UNREADABLE else ()), *mending)
