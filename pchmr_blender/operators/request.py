# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel's fields ask of the backend."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ...inference_backend.errors import BadArgument
from ...inference_backend.footage_files import is_pattern
from ..scene import own_presets
from ..scene.clip_settings import SceneSettings


@dataclass(frozen=True)
class Request:
    """One `reconstruct` call."""

    clip: Path
    """Movie, folder of images, or pattern of image names."""
    out: Path
    """The take's folder."""
    people: str
    """largest, all, or a number."""
    height: float | tuple[float, ...]
    """Metres; of each of all people, by size in the picture, where there are several."""
    preset: str
    """A preset's name, or the path of a .toml file."""
    cleanup: str
    """A clean-up preset's name, or the path of a .toml file."""
    device: str
    """auto, cpu, cuda or mps."""
    start: int = 0
    """First frame."""
    end: int | None = None
    """Frame after the last; None: to the end."""
    overwrite: bool = False
    """Replace the take that is there."""
    focal: float | None = None
    """Focal length in pixels of the upright picture; None: as the preset says."""

    def params(self) -> dict[str, Any]:
        """As the backend's method takes it."""
        return {
            "clip": str(self.clip),
            "out": str(self.out),
            "people": self.people,
            "height": self.height,
            "preset": self.preset,
            "cleanup": self.cleanup,
            "device": self.device,
            "start": self.start,
            "end": self.end,
            "overwrite": self.overwrite,
            "settings": {} if self.focal is None else {"camera.focal": self.focal},
        }


def request_of(settings: SceneSettings, *, overwrite: bool = False) -> Request:
    """The call that a scene's fields describe. Raises BadArgument where they contradict each other."""
    if not settings.clip:
        raise BadArgument("no clip is chosen", hint="Choose a movie, or a folder of images.")
    if settings.use_range and settings.end < settings.start:
        raise BadArgument(
            f"the last frame, {settings.end}, is before the first, {settings.start}", hint="Correct the frame range."
        )
    clip = absolute(settings.clip)
    preset = str(absolute(settings.preset)) if settings.preset.endswith(".toml") else settings.preset
    return Request(
        clip=clip,
        out=out_folder(clip, absolute(settings.out) if settings.out else None),
        people=str(settings.person) if settings.people == "INDEX" else settings.people.lower(),
        height=_height(settings),
        preset=preset or "default",
        cleanup=_cleanup(settings.cleanup),
        device=settings.device.lower(),
        start=settings.start if settings.use_range else 0,
        end=settings.end + 1 if settings.use_range else None,
        overwrite=overwrite,
        focal=round(settings.focal, 2) or None,
    )


def _cleanup(name: str) -> str:
    """A user's own preset is a file for the backend, which knows those that come along by their names."""
    if name.endswith(".toml"):
        return str(absolute(name))
    file = own_presets.own_folder("cleanup") / f"{name}{own_presets.SUFFIX}"
    return str(file) if name and file.is_file() else name or "default"


def _height(settings: SceneSettings) -> float | tuple[float, ...]:
    """Blender's floats are single: 1.7 arrives as 1.7000000476837158, and would be another take's height."""
    if settings.people == "ALL" and settings.height_count > 1:
        return tuple(round(height, 4) for height in settings.heights[: settings.height_count])
    return round(settings.height, 4)


def asked_takes(settings: SceneSettings) -> tuple[Path, ...]:
    """The takes that a scene's fields may describe, for draw(): `shot.2` is one of two, as a movie and as a folder."""
    if not settings.clip:
        return ()
    clip, folder = absolute(settings.clip), absolute(settings.out) if settings.out else None
    return tuple(_take_of(clip, folder, is_folder) for is_folder in (False, True))


def out_folder(clip: Path, folder: Path | None) -> Path:
    """Where a clip's take goes: `dance.mp4` → `dance.take`, `shot_####.png` → `shot.take`, beside it or in `folder`."""
    return _take_of(clip, folder, clip.is_dir())


def _take_of(clip: Path, folder: Path | None, is_folder: bool) -> Path:
    name = clip.name if is_folder or not clip.suffix else clip.stem
    if is_pattern(clip):
        name = re.split(r"[#%*?\[]", clip.name)[0].rstrip("_-. ") or clip.parent.name
    return (folder or clip.parent) / f"{name}.take"


def absolute(path: str) -> Path:
    """A path as Blender keeps it → a whole one."""
    return Path(bpy.path.abspath(path)).absolute()
