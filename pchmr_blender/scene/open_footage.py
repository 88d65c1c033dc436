# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage that is open in this file: movie clips, movies and sequences among the images, strips of the sequencer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import bpy

from .footage import STAND_IN
from .versions import strips_of

Kind = Literal["CLIP", "IMAGE", "STRIP"]

KINDS: Final = (
    ("CLIP", "Movie Clip", "A movie clip of the clip editor", "TRACKER", 0),
    ("IMAGE", "Image", "A movie or an image sequence among the images", "IMAGE_DATA", 1),
    ("STRIP", "Strip", "A strip of the scene's video sequencer", "SEQUENCE", 2),
)
"""Where footage may be open, as Blender's enum items."""


@dataclass(frozen=True)
class OpenFootage:
    """One movie or image sequence."""

    kind: Kind
    name: str
    """Of its data-block or strip."""
    path: str
    """As a path field keeps it: a movie, or a pattern of image names."""


def open_footage(scene: bpy.types.Scene) -> list[OpenFootage]:
    """What is open, each file once; without our own stand-ins. Only reads."""
    found: dict[str, OpenFootage] = {}
    for one in (*_clips(), *_images(), *_strips(scene)):
        if not STAND_IN.search(one.path):
            found.setdefault(bpy.path.abspath(one.path), one)
    return list(found.values())


def numbered(path: str) -> str:
    """The pattern of a sequence that one of its images belongs to: shot_0012.png → shot_####.png."""
    name = re.split(r"[\\/]", path)[-1]
    pattern = re.sub(r"\d+(?=\D*$)", lambda digits: "#" * len(digits[0]), Path(name).stem) + Path(name).suffix
    return path[: len(path) - len(name)] + pattern


def _clips() -> Iterator[OpenFootage]:
    for clip in bpy.data.movieclips:
        path = _path(clip, clip.filepath)
        yield OpenFootage("CLIP", clip.name, numbered(path) if clip.source == "SEQUENCE" else path)


def _images() -> Iterator[OpenFootage]:
    for image in bpy.data.images:
        if image.source in {"MOVIE", "SEQUENCE"} and image.filepath:
            path = _path(image, image.filepath)
            yield OpenFootage("IMAGE", image.name, numbered(path) if image.source == "SEQUENCE" else path)


def _strips(scene: bpy.types.Scene) -> Iterator[OpenFootage]:
    for strip in strips_of(scene):
        if strip.type == "MOVIE":
            yield OpenFootage("STRIP", strip.name, strip.filepath)
        elif strip.type == "IMAGE" and len(strip.elements) > 1:
            yield OpenFootage("STRIP", strip.name, numbered(strip.directory + strip.elements[0].filename))


def _path(owner: bpy.types.ID, path: str) -> str:
    """A path of a linked data-block is relative to its own file."""
    return bpy.path.abspath(path, library=owner.library) if owner.library is not None else path
