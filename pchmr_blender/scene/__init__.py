# SPDX-License-Identifier: GPL-3.0-or-later
"""The only code that edits Blender's data: body, skeleton, targets, camera, footage, actions."""
