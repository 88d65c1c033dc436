"""Inside Blender, without a window: the installed extension's backend is the interpreter that BACKEND_PYTHON names."""

from __future__ import annotations

import os

import bpy

entry = bpy.context.preferences.addons["bl_ext.user_default.pchmr"]
entry.preferences.interpreter = os.environ["BACKEND_PYTHON"]
bpy.ops.wm.save_userpref()
