# SPDX-License-Identifier: GPL-3.0-or-later
"""What the backend is asked about a person's clean-up: what the layers would do, and when feet stand by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..inference_backend.targets.parameters import Strip
from . import session
from .activities import Work
from .backend.client import Client
from .core.contact_strips import Strips
from .operators.backend_jobs import push_undo
from .scene.cleanup import keep_effects, required_layers, write_strips
from .scene.free_hands import free_hands
from .scene.handles import Handle, resolve
from .scene.take_paths import take_folder


def measuring(handle: Handle, client: Client) -> Work:
    """The work of Measure: the layers' effects are kept, mesh and take stay.

    Raises SceneChanged, BadArgument, and what a call to the backend may end with.
    """
    params = _params(handle, detected=False)
    told = yield client.call("effects", params)
    yield from free_hands()
    keep_effects(resolve(handle), params["layers"], told)
    push_undo("Measure Cleanup")


def detecting(handle: Handle, client: Client) -> Work:
    """The work of Edit Strips: the strips that the layers detect become the artist's.

    Raises as `measuring`.
    """
    params = _params(handle, detected=True)
    told = yield client.call("effects", params)
    yield from free_hands()
    person, strips = resolve(handle), strips_from(told)
    write_strips(person, strips)
    # With these strips the layers do what they did by themselves. What was changed since they were asked is not in it.
    params["layers"]["foot_contact"]["strips"] = told["strips"]
    keep_effects(person, params["layers"], told)
    push_undo("Edit Strips")
    session.current.notice = f"{person.name}: {len(strips)} strips are yours to edit."


def strips_from(told: Mapping[str, Any]) -> Strips:
    """What the backend's `effects` says."""
    return tuple(Strip(**values) for values in told["strips"])


def _params(handle: Handle, *, detected: bool) -> dict[str, Any]:
    person = resolve(handle)
    layers = required_layers(person).values()
    if detected:
        layers["foot_contact"]["strips"] = None
    return {"take": str(take_folder(person)), "person": person.pchmr.person, "layers": layers}
