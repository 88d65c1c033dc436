# SPDX-License-Identifier: GPL-3.0-or-later
"""The compositor of a preview: what is rendered, laid over the footage."""

from __future__ import annotations

from typing import Any, Final

import bpy
import numpy as np

from ..core.footage_timing import PictureTiming, picture_timing
from ..core.timing import Placing
from .footage import Source
from .versions import compositor_output, compositor_tree

_OVER: Final = 0.1
"""Pixels that the footage is larger than the frame: some versions cut off a size that is a trace below a whole one."""


class FootageNode:
    """The footage in the compositor of a scene. Lives as long as the preview."""

    def __init__(self, node: Any, timing: PictureTiming) -> None:
        self._node, self._timing = node, timing

    def show(self, frame: int) -> None:
        """Show the picture of a scene frame."""
        frames, offsets = np.array(self._timing.keys).T
        self._node.frame_offset = round(float(np.interp(frame, frames, offsets)))


def lay_over(
    scene: bpy.types.Scene, source: Source, image: bpy.types.Image, placing: Placing, offset: float, opacity: float
) -> FootageNode:
    """Let the scene's result be its render over the footage, which fills the frame.

    Args:
        scene: renders on nothing (`film_transparent`); its nodes are replaced.
        source: the footage. image: the same as Blender has it.
        placing: when the footage plays. offset: scene frames that it is shown later.
        opacity: of what is rendered, 0 to 1.
    """
    tree = compositor_tree(scene)
    tree.nodes.clear()
    result = compositor_output(tree)
    rendered = tree.nodes.new("CompositorNodeRLayers")
    rendered.scene = scene
    footage = tree.nodes.new("CompositorNodeImage")
    timing = picture_timing(source.footage, placing, offset)
    footage.image = image
    footage.frame_start, footage.frame_duration = timing.frame_start, timing.frame_duration
    footage.use_auto_refresh = True
    fill = tree.nodes.new("CompositorNodeScale")
    _fill_frame(fill, image, scene)
    # A result has the size and place of what is below. So the footage, which is stretched, is laid over the render
    # first: that keeps the bodies exactly where they were rendered.
    placed, over = (tree.nodes.new("CompositorNodeAlphaOver") for _ in range(2))
    _lay(tree, placed, rendered.outputs[0], fill.outputs[0])
    _lay(tree, over, placed.outputs[0], rendered.outputs[0])
    next(socket for socket in over.inputs if socket.identifier == "Fac").default_value = opacity
    tree.links.new(footage.outputs[0], fill.inputs[0])
    tree.links.new(over.outputs[0], result)
    return FootageNode(footage, timing)


def _lay(tree: bpy.types.NodeTree, node: Any, below: Any, above: Any) -> None:
    """Connect an Alpha Over node, whose sockets have other names from 5.0 on."""
    background, foreground = (socket for socket in node.inputs if socket.type == "RGBA")
    tree.links.new(below, background)
    tree.links.new(above, foreground)


def _fill_frame(node: Any, image: bpy.types.Image, scene: bpy.types.Scene) -> None:
    """Let a Scale node make the picture as large as the frame."""
    frame = scene.render.resolution_x, scene.render.resolution_y
    for name, wanted, found in zip("XY", frame, image.size, strict=True):
        node.inputs[name].default_value = 1.0 if wanted == found else (wanted + _OVER) / found
