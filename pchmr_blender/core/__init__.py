# SPDX-License-Identifier: GPL-3.0-or-later
"""What the extension knows without Blender: takes, time, axes, bones, file formats. Never imports bpy."""
