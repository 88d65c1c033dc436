# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's entry to the extension, beside its manifest.

Nothing is imported before Blender asks: the tests load this folder as a package where there is no Blender.
"""


def register() -> None:
    """Make the add-on known to Blender."""
    from .pchmr_blender.registration import register as register_all

    register_all()


def unregister() -> None:
    """Undo `register`."""
    from .pchmr_blender.registration import unregister as unregister_all

    unregister_all()
