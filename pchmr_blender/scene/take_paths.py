# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from a .blend to its takes and footage: kept relative when it is saved, found again when it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from ...inference_backend.errors import BackendError
from ...inference_backend.take_info import TakeInfo
from ..core.relocate import TakeAddress, address_of, cache_folder, find_take, resolved_path, stored_path
from ..core.takes import PersonView, TakeView, open_view
from ..problems import in_words
from .footage import attach_footage, find_source, fit_to_scene, footage_file, place_footage
from .handles import find_part, placing_of
from .mesh_cache import cache_files, mend_cache


def blend_folder() -> Path | None:
    """Where the .blend lies; None where it was never saved."""
    return Path(bpy.data.filepath).parent if bpy.data.filepath else None


def remember_take(collection: bpy.types.Collection, folder: Path, info: TakeInfo) -> None:
    """Note where the person's take is."""
    own, address = collection.pchmr, address_of(folder, info, blend_folder())
    own.take, own.take_absolute = address.stored, address.absolute
    own.fingerprint, own.settings_hash = address.fingerprint, address.settings_hash


def take_folder(collection: bpy.types.Collection) -> Path:
    """Where the person's take is now. Raises TakeNotFound, TakeMismatch, TakeVersion."""
    own = collection.pchmr
    return find_take(
        TakeAddress(own.take, own.take_absolute, own.fingerprint, own.settings_hash),
        blend_folder(),
    )


def open_person(collection: bpy.types.Collection) -> tuple[TakeView, PersonView]:
    """The person's take, and the person in it. Raises what `take_folder` and `core.takes.open_view` raise."""
    view = open_view(take_folder(collection))
    return view, view.people[collection.pchmr.person]


def mend_paths(collection: bpy.types.Collection) -> None:
    """Find take, mesh cache and footage again and note where they are; what is missing stands in `problem`, in words.

    Shows the footage where it was asked for and can be shown by now: after its stand-in was made, say.
    """
    own = collection.pchmr
    try:
        view, person = open_person(collection)
        remember_take(collection, view.folder, view.info)
        body = find_part(collection, "BODY")
        if body is not None:
            mend_cache(body, cache_folder(view.folder), person)
        _mend_footage(collection, view)
    except BackendError as error:
        own.problem, own.problem_kind = in_words(error), error.kind
    else:
        own.problem = own.problem_kind = ""


@persistent
def before_save(filepath: str, *_: Any) -> None:
    """Handler of `save_pre`: takes are kept as seen from where the .blend is about to be."""
    if not filepath:  # the startup file
        return
    for collection in _people():
        own = collection.pchmr
        places = [resolved_path(stored, blend_folder()) for stored in (own.take, own.take_absolute)]
        known = [place for place in places if place is not None]
        # Where the take is gone for now, the way to it from the .blend is the better memory.
        place = next((place for place in known if place.is_dir()), known[0] if known else None)
        if place is not None:
            own.take = stored_path(place, Path(filepath).parent)


@persistent
def after_save(*_: Any) -> None:
    """Handler of `save_post`: a Save As that leaves relative paths as they are makes them lead elsewhere."""
    for collection in _people():
        body, camera = find_part(collection, "BODY"), find_part(collection, "CAMERA")
        files = [*(cache_files(body) if body else ()), footage_file(camera) if camera else None]
        if any(file is not None and not file.exists() for file in files):
            mend_paths(collection)


@persistent
def after_load(*_: Any) -> None:
    """Handler of `load_post`: never fails, whatever is gone."""
    for collection in _people():
        mend_paths(collection)


def _people() -> list[bpy.types.Collection]:
    # Those of a linked library belong to its own file.
    return [one for one in bpy.data.collections if one.pchmr.uuid and one.library is None]


def _mend_footage(collection: bpy.types.Collection, view: TakeView) -> None:
    camera = find_part(collection, "CAMERA")
    if camera is None or not collection.pchmr.footage:
        return
    file = footage_file(camera)
    if file is None or not file.exists():
        attach_footage(camera, find_source(view, blend_folder()), blend_folder())
        place_footage(camera, placing_of(collection), collection.pchmr.footage_offset)
        for scene in camera.users_scene[:1]:
            fit_to_scene(camera, view, scene)
