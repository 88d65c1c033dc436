"""The wire between Blender and the backend: JSON-RPC 2.0, one object a line, the same code on both sides.

Calls go from the client to the server. Notifications go both ways: `cancel` {id} there, `progress` {id, ...} back.
Arrays do not travel: they lie in the take's files. The text is ASCII, so that any file name survives, lone surrogates
of undecodable ones included. Standard library only.
"""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from .errors import KINDS, BackendError, Internal, ProtocolMismatch
from .progress import Progress

PROTOCOL_VERSION: Final = 1
"""Both sides must have the same: it is raised whenever one side would misunderstand the other."""

MAX_BYTES: Final = 64 * 1024 * 1024
"""Longest line. What is longer is no message of ours, and must not fill the memory."""


@dataclass(frozen=True)
class Request:
    """A call, or a notification."""

    id: int | None
    """Number of the call, which its reply carries; None: a notification, which has no reply."""
    method: str
    """What to do."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """With what: plain values."""
    slot: str | None = None
    """Newest wins: the call is dropped when a newer one of this slot arrives before it has begun."""


@dataclass(frozen=True)
class Reply:
    """The good end of a call."""

    id: int
    result: Any
    """Plain values."""


@dataclass(frozen=True, eq=False)
class Failure:
    """The bad end of a call."""

    id: int | None
    """None: of something that was not understood well enough to have a number."""
    error: BackendError


Message: TypeAlias = Request | Reply | Failure


class Malformed(ValueError):
    """A line that is not a message. Its text is the line's beginning."""


@dataclass(frozen=True)
class Weights:
    """One model file, as the backend tells of it in its greeting."""

    name: str
    state: str
    """installed, missing or corrupt."""
    license: str
    sha256: str | None
    """None: a user's file that is missing."""


@dataclass(frozen=True)
class Hello:
    """The backend's greeting."""

    protocol: int
    """Its PROTOCOL_VERSION."""
    version: str
    """Of the backend."""
    python: str
    """Version of its interpreter."""
    models: tuple[Weights, ...]
    """Model files on its machine."""

    def params(self) -> dict[str, Any]:
        """As plain values for the wire."""
        return asdict(self)

    @classmethod
    def read(cls, values: object) -> Hello:
        """From the wire. Raises ProtocolMismatch for anything else, and for another protocol version."""
        protocol = values.get("protocol") if isinstance(values, Mapping) else None
        require_version(protocol, "backend")
        try:
            return cls(
                protocol=values["protocol"],  # type: ignore[index]
                version=str(values["version"]),  # type: ignore[index]
                python=str(values["python"]),  # type: ignore[index]
                models=tuple(Weights(**model) for model in values["models"]),  # type: ignore[index]
            )
        except (KeyError, TypeError) as error:
            raise _mismatch(f"the backend's greeting is not understood: {error!r}") from error


class Lines(Protocol):
    """Where messages are read from: a binary file, as io.BytesIO."""

    def readline(self, size: int = -1, /) -> bytes:
        """The next line, at most `size` bytes of it; empty at the end."""
        ...


def require_version(found: object, whose: str) -> None:
    """Raise ProtocolMismatch where the other side (`whose`: add-on, backend) speaks another version."""
    if found != PROTOCOL_VERSION or isinstance(found, bool):
        raise _mismatch(f"the {whose} speaks protocol {found}, this side {PROTOCOL_VERSION}", found=found)


def encode(message: Message) -> bytes:
    """One message as a line. Raises TypeError or ValueError where params or result are not plain finite values."""
    values: dict[str, Any] = {"jsonrpc": "2.0"}
    match message:
        case Request():
            values |= {"method": message.method, "params": dict(message.params)}
            values |= {} if message.id is None else {"id": message.id}
            values |= {} if message.slot is None else {"slot": message.slot}
        case Reply():
            values |= {"id": message.id, "result": message.result}
        case Failure():
            values |= {"id": message.id, "error": error_to_wire(message.error)}
    return json.dumps(values, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """The message of a line. Raises Malformed."""
    try:
        values = json.loads(line.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Malformed(_beginning(line)) from error
    if not isinstance(values, dict) or values.get("jsonrpc") != "2.0":
        raise Malformed(_beginning(line))
    number, method = values.get("id"), values.get("method")
    params, slot = values.get("params", {}), values.get("slot")
    if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
        raise Malformed(_beginning(line))
    if isinstance(method, str) and isinstance(params, dict) and (slot is None or isinstance(slot, str)):
        return Request(number, method, params, slot)
    if isinstance(values.get("error"), dict):
        return Failure(number, error_from_wire(values["error"]))
    if number is not None and "result" in values and method is None:
        return Reply(number, values["result"])
    raise Malformed(_beginning(line))


def read(file: Lines) -> Iterator[Message | Malformed]:
    """Every message up to the end of the file, and what is none. Ends after a line longer than `MAX_BYTES`."""
    while line := file.readline(MAX_BYTES):
        if not line.endswith(b"\n"):
            # Shorter than allowed: whoever wrote it died over it, which the end of the file tells.
            if len(line) >= MAX_BYTES:
                yield Malformed(_beginning(line))
            return
        if line.strip():
            try:
                yield decode(line)
            except Malformed as error:
                yield error


def error_to_wire(error: BackendError) -> dict[str, Any]:
    """JSON-RPC's error object; kind, hint, facts and traceback in its `data`."""
    data = {
        "kind": error.kind,
        "hint": error.hint,
        "facts": _plain(error.facts),
        "traceback": "".join(traceback.format_exception(error)),
    }
    return {"code": error.exit_code, "message": error.message, "data": data}


def error_from_wire(values: Mapping[str, Any]) -> BackendError:
    """The error, its traceback among the facts. A kind that is not known here becomes Internal."""
    data = values.get("data")
    data = data if isinstance(data, Mapping) else {}
    kind, facts = str(data.get("kind", "an error")), data.get("facts")
    message = str(values.get("message", ""))
    hint = str(data.get("hint", "Report this with the log."))
    known = KINDS.get(kind)
    error = known(message, hint=hint) if known else Internal(f"{kind}: {message}", hint=hint)
    error.facts.update(facts if isinstance(facts, Mapping) else {})
    if "traceback" in data:
        error.facts.setdefault("traceback", str(data["traceback"]))
    return error


def progress_to_wire(number: int, progress: Progress) -> Request:
    """The notification of a call's progress."""
    return Request(None, "progress", {"id": number, **asdict(progress)})


def progress_from_wire(params: Mapping[str, Any]) -> tuple[int, Progress]:
    """Number of the call, and its progress. Raises Malformed."""
    values = dict(params)
    try:
        number = int(values.pop("id"))
        return number, Progress(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"progress {values}") from error


def _plain(value: object) -> Any:
    """Facts as JSON has them; anything else as text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(entry) for entry in value]
    return str(value)


def _mismatch(message: str, **facts: Any) -> ProtocolMismatch:
    hint = "Add-on and backend come from different versions: update both, then restart Blender."
    return ProtocolMismatch(message, hint=hint, here=PROTOCOL_VERSION, **facts)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _beginning(line: bytes) -> str:
    return line[:200].decode("utf-8", "backslashreplace").rstrip()
