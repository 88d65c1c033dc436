# SPDX-License-Identifier: GPL-3.0-or-later
"""The footage behind the camera: a movie or numbered images, or the backend's stand-in for what Blender cannot show."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import bpy
import numpy as np

from ...inference_backend.errors import UnsupportedVideo
from ...inference_backend.footage_files import is_pattern, list_images
from ...inference_backend.frame_rates import runs_evenly
from ...inference_backend.numbered_images import first_number
from ...inference_backend.take_info import TakeInfo
from ..core.footage_timing import Footage, picture_timing
from ..core.lens import Pinhole, fitted
from ..core.relocate import find_clip, stored_path
from ..core.takes import TakeView
from ..core.timing import Placing
from .actions import curves_of, new_action, remove_action, write_curves
from .camera import fit_camera, frame_of, pinhole_of

_FRAME_OFFSET = "background_images[0].image_user.frame_offset"
STAND_IN: Final = re.compile(r"\.footage-[0-9a-f]{8}\.mp4$")
"""How the names of stand-ins end."""

_TAKE_ITS_STAND_IN = "Make a stand-in for the footage."


@dataclass(frozen=True)
class Source:
    """A file that Blender shows, and how it counts it."""

    path: Path
    """A movie, or the first of numbered images."""
    footage: Footage
    is_sequence: bool


def proxy_path(folder: Path, info: TakeInfo) -> Path:
    """Where the stand-in for a take's footage lies: beside the take, known by the footage's fingerprint."""
    return folder.with_name(f"{folder.name}.footage-{info.clip.fingerprint[:8]}.mp4")


def proxy_reason(view: TakeView) -> str | None:
    """Why Blender cannot show the footage as it is, as far as the take says; None where it can."""
    if view.rotation:
        return f"its picture is stored turned by {view.rotation}°"
    if not all(runs_evenly(person.frames, person.seconds, view.fps) for person in view.people):
        return "its frame rate varies"
    return None


def find_source(view: TakeView, blend_folder: Path | None) -> Source:
    """What to show: the stand-in where there is one, else the footage.

    Raises:
        ClipNotFound: the footage is gone.
        UnsupportedVideo: Blender cannot show it as it is: the backend must make a stand-in, at `proxy_path`.
    """
    proxy = proxy_path(view.folder, view.info)
    if proxy.is_file():
        return _movie_source(proxy, None)
    clip = find_clip(view.info.clip, view.folder, blend_folder)
    reason = proxy_reason(view)
    if reason:
        raise _unsuitable(clip, reason)
    if not (clip.is_dir() or is_pattern(clip)):
        return _movie_source(clip, view)
    files = list_images(clip)
    first = first_number(files)
    if first is None:
        raise _unsuitable(clip, "its images are not numbered one after the other")
    return Source(files[0], Footage(view.fps, len(files), first), is_sequence=True)


def attach_footage(
    camera: bpy.types.Object, source: Source, blend_folder: Path | None, opacity: float | None = None
) -> None:
    """Show the footage behind the camera, in place of what it showed; `place_footage` puts it in time.

    `opacity`: 0 to 1; None: as it was, or full.
    """
    image = bpy.data.images.load(str(source.path), check_existing=not source.is_sequence)
    if source.is_sequence:
        image.source = "SEQUENCE"
    image.filepath = stored_path(source.path, blend_folder)
    data = camera.data
    if opacity is None:
        opacity = data.background_images[0].alpha if data.background_images else 1.0
    data.background_images.clear()
    data.show_background_images = True
    background = data.background_images.new()
    background.source = "IMAGE"
    background.image = image
    background.alpha = opacity
    background.display_depth = "BACK"
    background.image_user.use_auto_refresh = True
    own = camera.pchmr
    own.footage_rate, own.footage_count = source.footage.rate, source.footage.count
    own.footage_first = source.footage.first


def fit_to_scene(camera: bpy.types.Object, view: TakeView, scene: bpy.types.Scene) -> None:
    """Let camera and footage coincide in the scene's output size, whatever it is; see `refit` for when it changes."""
    camera.pchmr.pinhole = astuple(pinhole_of(view))
    refit(camera, scene)


def refit(camera: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """`fit_to_scene` again, for the output size that the scene has now."""
    width, height, *lens = camera.pchmr.pinhole
    pinhole, frame = Pinhole(round(width), round(height), *lens), frame_of(scene)
    fit_camera(camera, pinhole, frame)
    for background in camera.data.background_images:
        # A stand-in may be a pixel wider than the footage: it is stretched back.
        background.frame_method = "STRETCH" if fitted(pinhole, frame) == pinhole else "FIT"
    camera.pchmr.fitted = astuple(frame)


def place_footage(camera: bpy.types.Object, placing: Placing, offset: float) -> None:
    """Put the footage in time. `offset`: scene frames that it is shown later than the placing says."""
    own, data = camera.pchmr, camera.data
    if not own.footage_rate or not data.background_images:
        return
    timing = picture_timing(Footage(own.footage_rate, own.footage_count, own.footage_first), placing, offset)
    user = data.background_images[0].image_user
    user.frame_start, user.frame_duration = timing.frame_start, timing.frame_duration
    remove_action(data)
    if len(timing.keys) == 1:
        user.frame_offset = round(timing.keys[0][1])
        return
    new_action(data, data.name)
    keys = np.array(timing.keys)
    write_curves(data, _FRAME_OFFSET, keys[:, 0], keys[:, 1], "Footage")
    for curve in curves_of(data):
        curve.update_autoflags(data)  # or Blender cuts the fraction off instead of rounding


def footage_file(camera: bpy.types.Object) -> Path | None:
    """The file behind the camera, there or not; None where it shows none."""
    backgrounds = camera.data.background_images
    image = backgrounds[0].image if backgrounds else None
    return Path(bpy.path.abspath(image.filepath)) if image else None


def _movie_source(path: Path, view: TakeView | None) -> Source:
    """A movie as Blender counts it; its picture and length must be the take's, where a view is given."""
    try:
        state = path.stat()
        size, rate, count = _as_blender_counts(str(path), state.st_size, state.st_mtime_ns)
    except (RuntimeError, OSError) as error:
        raise _unsuitable(path, f"Blender cannot read it ({error})") from error
    if count < 1 or min(size) < 1:
        raise _unsuitable(path, "Blender cannot read it")
    if view is not None and size != (view.width, view.height):
        raise _unsuitable(path, f"Blender sees {size[0]}×{size[1]} pixels, the take {view.width}×{view.height}")
    return Source(path, Footage(rate if view is None else view.fps, count), is_sequence=False)


@lru_cache(maxsize=64)  # a reconstruction asks twice, and to open a movie holds Blender up for 30 ms
def _as_blender_counts(path: str, size: int, changed: int) -> tuple[tuple[int, int], float, int]:
    """Width and height, frames per second, and pictures of a movie, of which `size` and `changed` tell other states.

    Raises RuntimeError.
    """
    clip = bpy.data.movieclips.load(path)
    try:
        return (clip.size[0], clip.size[1]), clip.fps, clip.frame_duration
    finally:
        bpy.data.movieclips.remove(clip)


def _unsuitable(path: Path, reason: str) -> UnsupportedVideo:
    return UnsupportedVideo(
        f"Blender cannot show {path.name} behind the camera: {reason}.",
        hint=_TAKE_ITS_STAND_IN,
        path=str(path),
        reason=reason,
    )
