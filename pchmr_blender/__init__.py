# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on: what runs inside Blender. Needs bpy, numpy and the standard library; torch stays in the other process."""
