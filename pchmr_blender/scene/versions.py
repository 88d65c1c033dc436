# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that differs between Blender 4.2 and 5.2, for the rest of the extension.

Each function asks Blender's own description of its data (RNA) what it has, never for its version number.
"""

from __future__ import annotations

from typing import Any

import bpy


def _has(kind: type, name: str) -> bool:
    return name in kind.bl_rna.properties  # type: ignore[attr-defined]


def has_slots() -> bool:
    """Whether one action can animate several data-blocks, each through its own slot (from 4.4)."""
    return _has(bpy.types.Action, "slots")


def assign_action(owner: bpy.types.ID, action: bpy.types.Action) -> None:
    """Let `action` animate `owner`: through the owner's slot in it, or a new one where actions have slots."""
    animation = owner.animation_data or owner.animation_data_create()
    if animation.action == action and (not has_slots() or animation.action_slot is not None):
        return
    animation.action = action
    if has_slots():
        # Blender may have picked another data-block's slot by itself; a left one of this name may be taken over.
        own = (s for s in action.slots if s.target_id_type == owner.id_type and s.name_display == owner.name)
        unused = next((slot for slot in own if all(user == owner for user in slot.users())), None)
        animation.action_slot = unused or action.slots.new(id_type=owner.id_type, name=owner.name)


def slots_of(action: bpy.types.Action) -> tuple[Any, ...]:
    """An action's slots; none where actions have none."""
    return tuple(action.slots) if has_slots() else ()


def channels(owner: bpy.types.ID, *, create: bool = False) -> Any:
    """What holds the owner's `fcurves` and `groups`: its slot's channel bag, or the action itself before slots.

    None where nothing animates the owner, or where its slot has no curves yet and `create` is False.
    """
    animation = owner.animation_data
    action = animation.action if animation else None
    if action is None or not has_slots():
        return action
    slot = animation.action_slot
    if slot is None:
        return None
    if not action.layers and not create:
        return None
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    if not layer.strips and not create:
        return None
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=create)


def new_curve(bag: Any, data_path: str, index: int, group: str) -> bpy.types.FCurve:
    """A new F-curve in what `channels` gave, in the group of that name unless it is empty."""
    curve = bag.fcurves.new(data_path, index=index)
    _put_in_group(bag, curve, group)
    return curve


def copy_curve(bag: Any, curve: bpy.types.FCurve, group: str) -> bool:
    """Copy a curve, keys and all, into what `channels` gave, in a group; False where this Blender cannot (to 4.5)."""
    if "new_from_fcurve" not in bag.fcurves.bl_rna.functions:
        return False
    _put_in_group(bag, bag.fcurves.new_from_fcurve(curve), group)
    return True


def _put_in_group(bag: Any, curve: bpy.types.FCurve, group: str) -> None:
    if group:
        curve.group = bag.groups.get(group) or bag.groups.new(group)


def remove_animation(owner: bpy.types.ID) -> None:
    """Take the owner's curves away: its slot, and with the last slot the action. Others' curves stay."""
    animation = owner.animation_data
    action = animation.action if animation else None
    if action is None:
        return
    if has_slots() and animation.action_slot is not None:
        action.slots.remove(animation.action_slot)
    animation.action = None
    if action.users == 0 and not (has_slots() and action.slots):
        bpy.data.actions.remove(action)


def select_bone(bone: bpy.types.PoseBone, select: bool = True) -> None:
    """Select or deselect a bone in pose mode."""
    (bone if _has(bpy.types.PoseBone, "select") else bone.bone).select = select


def bone_selected(bone: bpy.types.PoseBone) -> bool:
    """Whether a bone is selected in pose mode."""
    return bool((bone if _has(bpy.types.PoseBone, "select") else bone.bone).select)


def compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """The scene's compositing nodes, switched on, and made where there are none."""
    if not _has(bpy.types.Scene, "compositing_node_group"):
        scene.use_nodes = True
        return scene.node_tree
    if scene.compositing_node_group is None:
        scene.compositing_node_group = bpy.data.node_groups.new(scene.name, "CompositorNodeTree")
    return scene.compositing_node_group


def compositor_output(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """The socket whose picture is the render's result; its node is made where there is none."""
    if not _has(bpy.types.Scene, "compositing_node_group"):
        kind = "CompositorNodeComposite"
    else:
        kind = "NodeGroupOutput"
        if not any(item.item_type == "SOCKET" and item.in_out == "OUTPUT" for item in tree.interface.items_tree):
            tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    node = next((node for node in tree.nodes if node.bl_idname == kind), None) or tree.nodes.new(kind)
    return node.inputs[0]


def strips_of(scene: bpy.types.Scene) -> tuple[bpy.types.bpy_struct, ...]:
    """Everything in the scene's video sequencer; strips were called sequences before 4.4."""
    name = "strips_all" if _has(bpy.types.SequenceEditor, "strips_all") else "sequences_all"
    return tuple(getattr(scene.sequence_editor, name)) if scene.sequence_editor else ()


def path_options() -> set[str]:
    """Options of a path property that may be relative to the .blend: from 4.5 on, that has to be said."""
    known = "is_path_supports_blend_relative" in bpy.types.Property.bl_rna.properties
    return {"PATH_SUPPORTS_BLEND_RELATIVE"} if known else set()
