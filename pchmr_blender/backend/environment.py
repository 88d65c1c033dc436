# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's own environment, apart from Blender's Python: plan it, install it, find it, check it, remove it.

`find` and `environments` only read and answer at once. `plan`, `install`, `check`, `remove` and the models' functions
take from seconds to minutes: for a worker thread, which may use nothing of Blender. Nothing but `install` uses the
network; whether it may, and whether the user wants it, its caller asks. No bpy.
"""

from __future__ import annotations

from .check import Check, DeviceInfo, check
from .environment_folder import Environment, cache_folder, environments, find, remove
from .install import install
from .interpreters import Interpreter, find_interpreters
from .setup_plan import Download, Plan, Route, plan
from .setup_steps import SetupProgress
from .setup_table import Device, guess_device
from .user_models import ModelFile, add_model, inspect_model, list_models

__all__ = [
    "Check",
    "Device",
    "DeviceInfo",
    "Download",
    "Environment",
    "Interpreter",
    "ModelFile",
    "Plan",
    "Route",
    "SetupProgress",
    "add_model",
    "cache_folder",
    "check",
    "environments",
    "find",
    "find_interpreters",
    "guess_device",
    "inspect_model",
    "install",
    "list_models",
    "plan",
    "remove",
]
