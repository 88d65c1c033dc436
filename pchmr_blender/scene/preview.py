# SPDX-License-Identifier: GPL-3.0-or-later
"""A preview: the bodies of a take over its footage, picture by picture.

The pictures are stills, which the backend makes a movie of (`footage_proxy`): a movie of Blender's own cannot be
stopped half-way, and not every build can write one. The scene is as before when the last one is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import bpy

from ...inference_backend import disk
from ..core.lens import own_frame
from ..core.takes import TakeView
from .camera import create_camera, fit_camera, frame_of, pinhole_of
from .export_stage import key_range, stage
from .exports import require_cache
from .footage import Source, find_source
from .handles import part_of, placing_of
from .preview_engine import Engine, find_engine
from .preview_nodes import FootageNode, lay_over
from .take_paths import blend_folder
from .timeline import rate_of

PICTURE: Final = "{:06}.jpg"
"""Name of a picture, by its number from 0."""

_BODY: Final = (0.22, 0.48, 0.8)
_SAMPLES: Final = 8


@dataclass(frozen=True)
class PreviewOptions:
    """How a preview looks."""

    long_side: int = 960
    """Pixels, at most."""
    opacity: float = 0.85
    """Of the bodies, 0 to 1: a little of the person shows through."""
    frames: tuple[int, int] | None = None
    """First and last scene frame; None: those that anybody's skeleton has keys in."""


@dataclass(frozen=True)
class Preview:
    """Pictures that were made."""

    count: int
    rate: float
    """Frames per second at which they are to be played."""
    engine: Engine


def render_preview(
    people: Sequence[bpy.types.Collection],
    view: TakeView,
    folder: Path,
    options: PreviewOptions,
    tick: Callable[[int, int], None],
) -> Preview:
    """Render the pictures into a folder, which is made.

    Args:
        people: collections of one import of the take.
        view: the take.
        folder: for `PICTURE`s and nothing else.
        options: how they look.
        tick: told the pictures made and their number; what it raises ends the work.

    Raises:
        ClipNotFound, UnsupportedVideo: there is no footage to lay it over.
        SceneChanged: a body or a skeleton is gone.
        CacheCorrupt: a body's mesh cache is not there, or not whole.
        ExportRefused: Blender cannot render on this machine.
        OutputNotWritable, DiskFull
    """
    scene, engine = bpy.context.scene, find_engine()
    source = find_source(view, blend_folder())
    frames = _frames(people, scene) if options.frames is None else options.frames
    with disk.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    bodies, count = [part_of(person, "BODY") for person in people], frames[1] - frames[0] + 1
    for body in bodies:
        require_cache(body)
    with (
        stage(bodies, scene, frames, view.folder.name) as staged,
        _studio(staged, people[0], view, source, options, engine) as footage,
    ):
        for done, frame in enumerate(range(frames[0], frames[1] + 1)):
            tick(done, count)
            footage.show(frame)
            staged.frame_set(frame)
            _render(staged, folder / PICTURE.format(done))
        tick(count, count)
    return Preview(count, rate_of(scene), engine)


def _frames(people: Sequence[bpy.types.Collection], scene: bpy.types.Scene) -> tuple[int, int]:
    ranges = [key_range(part_of(person, "SKELETON"), scene) for person in people]
    return min(first for first, _ in ranges), max(last for _, last in ranges)


@contextmanager
def _studio(
    staged: bpy.types.Scene,
    person: bpy.types.Collection,
    view: TakeView,
    source: Source,
    options: PreviewOptions,
    engine: Engine,
) -> Iterator[FootageNode]:
    """Camera, light and compositor on the stage; removed afterwards."""
    before = _all_that_may_come()
    try:
        _set_size(staged, view, options.long_side)
        camera = create_camera(view, staged.collection, "Preview")
        fit_camera(camera, pinhole_of(view), frame_of(staged))
        staged.camera = camera
        _set_look(staged, camera, engine)
        image = bpy.data.images.load(str(source.path))
        if source.is_sequence:
            image.source = "SEQUENCE"
        yield lay_over(staged, source, image, placing_of(person), person.pchmr.footage_offset, options.opacity)
    finally:
        bpy.data.batch_remove(_all_that_may_come() - before)


def _all_that_may_come() -> set[bpy.types.ID]:
    data = bpy.data
    return {
        item
        for kind in (data.objects, data.cameras, data.lights, data.worlds, data.images, data.node_groups)
        for item in kind
        if item.name != "Render Result"  # Blender's own, which can stay
    }


def _set_size(staged: bpy.types.Scene, view: TakeView, long_side: int) -> None:
    """The footage's size, made smaller where it is large; both sides even then, as movies want them.

    The picture fills the frame all the same, if with pixels a trace off square. An odd size stays as it is: made
    smaller it would come to lie between pixels, and some versions leave a line at the rim. The backend makes it even.
    """
    own, render = own_frame(pinhole_of(view)), staged.render
    scale = min(1.0, long_side / max(own.width, own.height))
    width, height = own.width, own.height
    if scale < 1 and width % 2 == height % 2 == 0:
        width, height = (max(2, 2 * round(side * scale / 2)) for side in (width, height))
    ratio = own.pixel_height * (own.height / height) / (own.width / width)
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, 1 / ratio), max(1.0, ratio)


def _set_look(staged: bpy.types.Scene, camera: bpy.types.Object, engine: Engine) -> None:
    render = staged.render
    render.engine = engine.name
    render.film_transparent = True
    render.use_compositing, render.use_sequencer = True, False
    render.compositor_device = "CPU"  # the other one crashes Blender where nothing draws
    render.image_settings.file_format, render.image_settings.quality = "JPEG", 92
    # The footage's own colours: any other transform would grade them.
    staged.view_settings.view_transform, staged.view_settings.look = "Standard", "None"
    shading = staged.display.shading
    shading.light, shading.color_type, shading.single_color = "STUDIO", "SINGLE", _BODY
    staged.display.render_aa = "8" if engine.smooth else "OFF"
    if engine.name == "CYCLES":
        _light(staged, camera)


def _light(staged: bpy.types.Scene, camera: bpy.types.Object) -> None:
    """What Cycles needs to show the bodies: a sun beside the camera and a bright sky."""
    staged.cycles.samples, staged.cycles.use_denoising, staged.cycles.device = _SAMPLES, False, "CPU"
    sun = bpy.data.objects.new("Preview", bpy.data.lights.new("Preview", "SUN"))
    sun.data.energy = 2.0
    sun.matrix_world = camera.matrix_world
    staged.collection.objects.link(sun)
    staged.world = bpy.data.worlds.new("Preview")
    staged.world.color = (0.5, 0.5, 0.5)


def _render(staged: bpy.types.Scene, path: Path) -> None:
    staged.render.filepath = str(path)
    with disk.writing(path.parent):
        bpy.ops.render.render(write_still=True)
        path.stat()  # Blender only reports what it could not write
