# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones of an armature do what: from the presets that come with the extension and the user's own, or guessed."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...inference_backend.errors import BadArgument, PresetInvalid
from ..core.bone_guess import guess
from ..core.bone_map import REQUIRED, BoneMap, label
from ..core.rig_presets import FOLDER, best_fit, presets_in, read_preset, write_preset
from . import own_presets
from .rig_probe import bones_of


def own_folder(*, create: bool = False) -> Path:
    """Where the user's own presets are."""
    return own_presets.own_folder("rigs", create=create)


def preset_files() -> dict[str, Path]:
    """Files by name without suffix; a preset of the user's hides one that comes along."""
    return presets_in((FOLDER, own_folder()))


def guess_map(armature: bpy.types.Object) -> BoneMap:
    """The preset that an armature has the bones of, else what names and shape say.

    Presets of the user's that cannot be read are passed over here: choosing one by name says what is wrong with it.

    Raises:
        BadArgument: the armature is no body.
    """
    bones = bones_of(armature)
    readable = []
    for file in preset_files().values():
        try:
            readable.append(read_preset(file))
        except PresetInvalid:
            if file.parent == FOLDER:
                raise
    return best_fit(readable, bones) or guess(bones)


def preset_map(file: Path, armature: bpy.types.Object) -> BoneMap:
    """A preset's bones, as far as the armature has them.

    Raises:
        PresetInvalid: the file.
        BadArgument: the armature lacks one of the bones that are always needed.
    """
    preset = read_preset(file)
    fitted = preset.fitted(armature.data.bones.keys())
    lacking = [bone for role, bone in preset.bones if role in REQUIRED and role not in fitted.bones]
    if lacking:
        raise BadArgument(
            f"{armature.name} is no {preset.name}: it has no bone {', '.join(lacking)}",
            hint="Press Guess Bones, or choose another preset.",
            roles=[label(role) for role in REQUIRED if role not in fitted.bones],
        )
    return fitted


def save_preset(name: str, chosen: BoneMap) -> Path:
    """Keep a map as a preset of the user's; its file. Raises BadArgument, OutputNotWritable, DiskFull."""
    file = own_folder(create=True) / own_presets.file_name(name)
    write_preset(file, name.strip(), chosen)
    return file
