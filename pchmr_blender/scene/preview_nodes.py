# SPDX-License-Identifier: GPL-3.0-or-later
"""The compositor of a preview: what is rendered, laid over the footage."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..core.footage_timing import PictureTiming, picture_timing
from ..core.timing import Placing
from .footage import Source
from .versions import compositor_output, compositor_tree


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
    _stretch_to_frame(fill)
    over = tree.nodes.new("CompositorNodeAlphaOver")
    background, foreground = (socket for socket in over.inputs if socket.type == "RGBA")
    next(socket for socket in over.inputs if socket.identifier == "Fac").default_value = opacity
    for start, end in (
        (footage.outputs[0], fill.inputs[0]),
        (fill.outputs[0], background),
        (rendered.outputs[0], foreground),
        (over.outputs[0], result),
    ):
        tree.links.new(start, end)
    return FootageNode(footage, timing)


def _stretch_to_frame(node: Any) -> None:
    """Let a Scale node fill the frame: fields of the node up to 4.5, menus among its sockets from 5.0."""
    if "space" in node.bl_rna.properties:
        node.space, node.frame_method = "RENDER_SIZE", "STRETCH"
    else:
        node.inputs["Type"].default_value, node.inputs["Frame Type"].default_value = "Render Size", "Stretch"
