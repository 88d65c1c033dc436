# SPDX-License-Identifier: GPL-3.0-or-later
"""Which button mends what is wrong: by the kind of error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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


_SET_UP: Final = Repair("pchmr.plan_setup", "Set Up Backend")
_CHECK: Final = Repair("pchmr.check_backend", "Check the Backend")
_MODELS: Final = Repair("pchmr.install_models", "Get the Models")
_CLIP: Final = Repair("pchmr.choose_clip", "Choose Another Clip…")
_REPLACE: Final = Repair("pchmr.reconstruct_clip", "Replace the Take", {"overwrite": True})
_ELSEWHERE: Final = Repair("pchmr.choose_output", "Choose Another Folder…")

REPAIRS: Final[Mapping[str, tuple[Repair, ...]]] = {
    "EnvironmentInvalid": (_SET_UP, Repair("pchmr.show_preferences", "Preferences…")),
    "ProtocolMismatch": (_SET_UP,),
    "SetupFailed": (_SET_UP,),
    "NoNetwork": (_SET_UP,),
    "BackendDied": (_CHECK,),
    "WeightsMissing": (_MODELS,),
    "WeightsCorrupt": (_MODELS,),
    "ClipNotFound": (_CLIP,),
    "UnsupportedVideo": (_CLIP,),
    "NoPersonFound": (_CLIP,),
    "PresetInvalid": (Repair("pchmr.use_preset", "Use the Default Preset", {"name": "default"}),),
    "TakeMismatch": (_REPLACE, _ELSEWHERE),
    "TakeCorrupt": (_REPLACE,),
    "TakeVersion": (_REPLACE,),
    "TakeNotFound": (Repair("pchmr.relink_take", "Find Take…"),),
    "OutputNotWritable": (_ELSEWHERE,),
    "DiskFull": (_ELSEWHERE,),
    "CacheCorrupt": (Repair("pchmr.set_form", "Make the Mesh Cache Again…"),),
    "ExportRefused": (Repair("pchmr.set_form", "Change Form…"),),
    "OutOfMemory": (Repair("pchmr.use_cpu", "Use the CPU"),),
}
"""Kinds that are not here have no button: their hint says what a person can do."""


def repairs_for(problem: Problem) -> tuple[Repair, ...]:
    """The buttons that stand below a problem."""
    again = (Repair("pchmr.import_take", "Import the Take", {"directory": problem.take}),) if problem.take else ()
    return (*again, *REPAIRS.get(problem.kind, ()))
