# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend as Blender's side sees it: its process, calls to it, and the environment it runs in. No bpy here."""
