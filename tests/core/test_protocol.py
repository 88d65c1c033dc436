"""The wire: what is sent is what arrives, and what is no message is told from one."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inference_backend import protocol
from inference_backend.errors import KINDS, BackendError, Internal, ProtocolMismatch, WeightsMissing
from inference_backend.progress import Progress
from inference_backend.protocol import Failure, Hello, Malformed, Reply, Request, Weights

ROOT = Path(__file__).resolve().parents[2]
HELLO = Hello(protocol.PROTOCOL_VERSION, "1.2", "3.11.7", (Weights("body", "installed", "CC0-1.0", "ab"),))


def sent(message: protocol.Message) -> protocol.Message:
    line = protocol.encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.isascii()
    return protocol.decode(line)


@pytest.mark.parametrize(
    "message",
    [
        Request(1, "reconstruct", {"clip": '/ünder the söfa/\u2028\n\\ "日本.mp4', "start": 3, "height": 1.7}),
        Request(None, "cancel", {"id": 7}),
        Request(9, "preview", {}, slot="preview"),
        Request(2, "render", {"clip": "/undecodable \udcff\udc80.mp4"}),
        Reply(1, {"take": "/a b", "n": [1, None, True, 0.1]}),
        Reply(2, None),
    ],
)
def test_round_trip(message: protocol.Message) -> None:
    assert sent(message) == message


def test_big_message() -> None:
    message = Reply(1, {"text": "ü" * 1_000_000})
    assert sent(message) == message


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_error_survives(kind: str) -> None:
    facts = {
        "path": Path("/a ü"),
        "count": 3,
        "ratio": float("nan"),
        "message": "a fact",
        "many": (1, 2.5),
        "at": {1: b"x"},
    }
    error = KINDS[kind]("went wröng", hint="do this", count=0)
    error.facts.update(facts)
    try:
        raise error from ZeroDivisionError("why")
    except BackendError as raised:
        back = sent(Failure(4, raised))
    assert isinstance(back, Failure)
    assert back.id == 4
    assert type(back.error) is KINDS[kind]
    assert (back.error.message, back.error.hint) == ("went wröng", "do this")
    assert back.error.facts["path"] == str(Path("/a ü"))
    assert back.error.facts["many"] == [1, 2.5]
    assert back.error.facts["at"] == {"1": "b'x'"}
    assert (back.error.facts["ratio"], back.error.facts["count"], back.error.facts["message"]) == ("nan", 3, "a fact")
    assert "test_every_kind_of_error_survives" in back.error.facts["traceback"]
    assert "ZeroDivisionError: why" in back.error.facts["traceback"]


def test_a_traceback_among_the_facts_stays() -> None:
    back = sent(Failure(None, Internal("a worker failed", hint="report", traceback="the worker's")))
    assert isinstance(back, Failure)
    assert back.error.facts["traceback"] == "the worker's"


@pytest.mark.parametrize(
    "values",
    [
        {"message": "new", "data": {"kind": "FromTheFuture", "hint": "wait"}},
        {"message": "new", "data": {"kind": "BackendError"}},
        {"message": "new", "data": "text"},
        {"code": -32600},
        {},
    ],
)
def test_unknown_kind_becomes_internal(values: dict[str, Any]) -> None:
    error = protocol.error_from_wire(values)
    assert type(error) is Internal
    assert values.get("message", "") in error.message
    assert error.hint


def test_error_is_json_rpc() -> None:
    line = protocol.encode(Failure(3, WeightsMissing("no lifter", hint="get it", name="lifter")))
    values = json.loads(line)
    assert values["jsonrpc"] == "2.0"
    assert values["id"] == 3
    assert (values["error"]["code"], values["error"]["message"]) == (WeightsMissing.exit_code, "no lifter")
    assert values["error"]["data"]["kind"] == "WeightsMissing"


@pytest.mark.parametrize("params", [{"x": float("nan")}, {"x": Path("/a")}, {"x": {1, 2}}])
def test_what_is_not_plain_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        protocol.encode(Request(1, "x", params))


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n",
        b"\xff\xfe\n",
        b"[1]\n",
        b"{}\n",
        b"[" * 100_000 + b"\n",
        b'{"id": 1, "method": "x"}\n',
        b'{"jsonrpc": "2.0", "id": 1}\n',
        b'{"jsonrpc": "2.0", "id": "1", "method": "x"}\n',
        b'{"jsonrpc": "2.0", "id": true, "method": "x"}\n',
        b'{"jsonrpc": "2.0", "id": 1, "method": 5, "result": 1}\n',
        b'{"jsonrpc": "2.0", "id": 1, "method": "x", "params": [1]}\n',
        b'{"jsonrpc": "2.0", "id": 1, "method": "x", "slot": 1}\n',
        b'{"jsonrpc": "2.0", "id": 1, "result": NaN}\n',
        b'{"jsonrpc": "2.0", "result": 1}\n',
    ],
)
def test_no_message(line: bytes) -> None:
    with pytest.raises(Malformed):
        protocol.decode(line)


def test_reading_goes_on_after_what_is_no_message() -> None:
    first, second = Request(1, "a"), Request(2, "b")
    lines = b"\n" + protocol.encode(first) + b"print!\r\n\n" + protocol.encode(second).replace(b"\n", b"\r\n")
    one, noise, two = protocol.read(io.BytesIO(lines))
    assert (one, two) == (first, second)
    assert str(noise) == "print!"


def test_half_a_last_message_is_nothing() -> None:
    assert list(protocol.read(io.BytesIO(protocol.encode(Request(1, "a")) + b'{"jsonrpc": "2.0", "id": 2, "meth'))) == [
        Request(1, "a")
    ]


def test_endless_line_ends_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_BYTES", 1000)
    (only,) = protocol.read(io.BytesIO(b"x" * 5000 + b"\n" + protocol.encode(Request(1, "a"))))
    assert isinstance(only, Malformed)
    assert len(str(only)) < 1000


@pytest.mark.parametrize("progress", [Progress("lift", 3, 10), Progress("mesh", 0, 0, 12.5, 3.25)])
def test_progress(progress: Progress) -> None:
    notification = sent(protocol.progress_to_wire(8, progress))
    assert isinstance(notification, Request)
    assert notification.id is None
    assert protocol.progress_from_wire(notification.params) == (8, progress)


@pytest.mark.parametrize(
    "params", [{}, {"id": 1}, {"id": None, "stage": "x", "done": 1, "total": 2}, {"id": 1, "x": 2}]
)
def test_no_progress(params: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        protocol.progress_from_wire(params)


def test_hello() -> None:
    reply = sent(Reply(0, HELLO.params()))
    assert isinstance(reply, Reply)
    assert Hello.read(reply.result) == HELLO


@pytest.mark.parametrize(
    "changed",
    [
        {"protocol": protocol.PROTOCOL_VERSION + 1},
        {"protocol": "1"},
        {"protocol": True},
        {"protocol": None},
        {"models": 5},
    ],
)
def test_another_hello(changed: dict[str, Any]) -> None:
    with pytest.raises(ProtocolMismatch) as raised:
        Hello.read({**HELLO.params(), **changed})
    assert raised.value.facts["here"] == protocol.PROTOCOL_VERSION


@pytest.mark.parametrize("values", [None, [], {}, {"protocol": protocol.PROTOCOL_VERSION}])
def test_no_hello(values: object) -> None:
    with pytest.raises(ProtocolMismatch):
        Hello.read(values)


def test_standard_library_only() -> None:
    code = (
        "import sys; before = set(sys.modules); import inference_backend.protocol; print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded - set(sys.stdlib_module_names) == {"inference_backend"}
