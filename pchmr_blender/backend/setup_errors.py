# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed download or installer means: from the words of uv, pip and urllib to a named error with a hint. No bpy.

The words are those of uv 0.13, pip 21 to 26, and of the systems' own messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...inference_backend.errors import BackendError, DiskFull, NoNetwork, SetupFailed

_TAIL: Final = 3000
_AGAIN: Final = "Then press Set Up Backend again: what has been downloaded is kept."


@dataclass(frozen=True)
class _Cause:
    """One thing that goes wrong."""

    kind: type[BackendError]
    """The error it becomes."""
    reason: str
    """Its name, for programs."""
    words: tuple[str, ...]
    """Any of these, in lower case, tells it."""
    message: str
    """What is wrong; follows what was being done."""
    hint: str
    """What to do."""


_CAUSES: Final = (
    _Cause(
        DiskFull,
        "disk",
        ("no space left on device", "errno 28", "not enough space on the disk", "winerror 112", "disk quota exceeded"),
        "no space is left on the disk",
        f"Free some space, or choose a folder on another disk. {_AGAIN}",
    ),
    _Cause(
        SetupFailed,
        "hash",
        ("do not match the hashes", "hash mismatch"),
        "a file is not the one that the lock names",
        "Somebody on the way changes downloads, or a mirror has other files: use another network or index.",
    ),
    _Cause(
        NoNetwork,
        "proxy",
        ("proxyerror", "proxy authentication", "proxy authorization", "tunnel error", "tunnel connection failed"),
        "the proxy does not let it through",
        "Correct the system's proxy, or start Blender with HTTPS_PROXY set, with name and password if it wants them. "
        + _AGAIN,
    ),
    _Cause(
        NoNetwork,
        "certificate",
        ("certificate verify failed", "certificate_verify_failed", "invalid peer certificate", "unknownissuer"),
        "the server's certificate is not trusted",
        "A proxy or virus scanner may replace certificates: start Blender with SSL_CERT_FILE set to the file of its "
        "own. " + _AGAIN,
    ),
    _Cause(
        NoNetwork,
        "refused",
        ("http error 403", "403 client error", "(403 forbidden)", "http error 407", "http error 50", "(503 service"),
        "the server refuses",
        f"A firewall may forbid it, or the server has a bad day: try later or from another network. {_AGAIN}",
    ),
    _Cause(
        NoNetwork,
        "offline",
        (
            "name or service not known", "getaddrinfo failed", "nodename nor servname", "name resolution", "dns error",
            "network is unreachable", "no route to host", "connection refused", "connection reset", "timed out",
            "error sending request", "newconnectionerror", "remotedisconnected", "remote end closed connection",
            "connection aborted", "incompleteread", "winerror 1005", "winerror 1006", "winerror 11001",
        ),
        "the server cannot be reached",
        f"Check the connection to the internet; a firewall may be in the way. {_AGAIN}",
    ),
    _Cause(
        SetupFailed,
        "no_build",
        (
            "no matching distribution found", "no solution found", "resolutionimpossible", "no wheels with a matching",
            "could not find a version",
        ),
        "there is no build of a package for this Python and system",
        "Choose another Python from 3.10 to 3.14, or let one be downloaded.",
    ),
)  # fmt: skip
"""By precedence: an unreachable server, for one, ends in "no matching distribution" too."""


def named_failure(doing: str, output: str, log: Path) -> BackendError:
    """The error for what a program printed before it failed.

    Args:
        doing: what it was to do, as in "installing the packages".
        output: what it printed, or the text of an exception.
        log: the file that has all of it.
    """
    text = output.lower()
    facts = {"log": str(log), "doing": doing, "output": output[-_TAIL:]}
    for cause in _CAUSES:
        if any(word in text for word in cause.words):
            return cause.kind(f"{doing}: {cause.message}", hint=cause.hint, reason=cause.reason, **facts)
    return SetupFailed(
        f"{doing} failed",
        hint=f"The end of the log says why: {log}. Another Python may help.",
        reason="unknown",
        **facts,
    )
