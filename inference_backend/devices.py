"""Where the networks run."""

from __future__ import annotations

import torch

from .errors import BadArgument


def available() -> tuple[str, ...]:
    """The devices of this machine, the fastest first."""
    found = []
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return (*found, "cpu")


def choose_device(wanted: str) -> str:
    """A device by name, or the fastest for "auto". Raises BadArgument where this machine has no such device."""
    devices = available()
    if wanted == "auto":
        return devices[0]
    if wanted not in devices:
        raise BadArgument(
            f"this machine has no {wanted!r} device",
            hint=f"Choose one of: auto, {', '.join(devices)}.",
            reason="device",
            wanted=wanted,
            available=list(devices),
        )
    return wanted
