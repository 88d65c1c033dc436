# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets of the clean-up: those that come with the extension, and the user's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy

from ...inference_backend import disk
from ...inference_backend.errors import PresetInvalid
from ...inference_backend.targets.parameters import Layers
from ...inference_backend.targets.presets import CLEANUP_FOLDER, dump, load_cleanup
from . import own_presets
from .cleanup import layers_or_told, required_layers, write_layers


def preset_files() -> dict[str, Path]:
    """Files by name without suffix; a preset of the user's hides one that comes along."""
    folders = CLEANUP_FOLDER, own_presets.own_folder("cleanup")
    return {file.stem: file for folder in folders for file in sorted(folder.glob(f"*{own_presets.SUFFIX}"))}


def is_used(person: bpy.types.Collection, file: Path) -> bool:
    """Whether a person's parameters are a preset's, whatever the strips; not those of a file that cannot be read."""
    layers = layers_or_told(person)
    if layers is None:
        return False
    try:
        return load_cleanup(file) == replace(layers, foot_contact=replace(layers.foot_contact, strips=None))
    except PresetInvalid:  # using it says what is wrong with it
        return False


def use_preset(person: bpy.types.Collection, file: Path) -> None:
    """Take the layers from a file; the strips stay, as they belong to this take. Raises PresetInvalid."""
    chosen = load_cleanup(file)
    known = layers_or_told(person) or Layers()
    contact = replace(chosen.foot_contact, strips=known.foot_contact.strips)
    write_layers(person, replace(chosen, foot_contact=contact))


def save_preset(person: bpy.types.Collection, name: str) -> Path:
    """Keep a person's layers as a preset of the user's; its file.

    Raises BadArgument, SceneChanged where there are no layers, OutputNotWritable, DiskFull.
    """
    layers = required_layers(person)
    file = own_presets.own_folder("cleanup", create=True) / own_presets.file_name(name)
    disk.replace_file(file, dump(layers).encode("utf-8"))
    return file
