"""The server as a process: what it answers line by line, that nothing else reaches the wire, and that it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_backend import protocol
from inference_backend.backlog import Backlog, Work
from inference_backend.errors import KINDS
from inference_backend.protocol import Failure, Malformed, Message, Reply, Request
from inference_backend.video_writer import Mp4Writer

from .demo_job import CLIP, needs_models
from .processes import LINUX, children, gone

ROOT = Path(__file__).resolve().parents[2]
ODD = Path(__file__).with_name("odd_server.py")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


class Peer:
    """A client by hand."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.log = folder / "a lög.txt"
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=folder,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.received = protocol.read(self.stdout)

    def send(self, *messages: Message | bytes) -> None:
        for message in messages:
            self.stdin.write(message if isinstance(message, bytes) else protocol.encode(message))
        self.stdin.flush()

    def next(self) -> Message | Malformed:
        return next(self.received)

    def answer(self) -> Reply | Failure:
        """The next message that is no progress."""
        message = self.next()
        while isinstance(message, Request):
            message = self.next()
        assert isinstance(message, (Reply, Failure)), message
        return message

    def greet(self) -> None:
        self.send(Request(0, "hello", {"protocol": protocol.PROTOCOL_VERSION}))
        while isinstance(self.next(), Malformed):
            pass

    def call(self, number: int, method: str, **params: Any) -> Reply | Failure:
        self.send(Request(number, method, params))
        return self.answer()

    def failure(self, number: int, method: str, **params: Any) -> str:
        answer = self.call(number, method, **params)
        assert isinstance(answer, Failure), answer
        assert answer.id == number
        assert answer.error.hint
        return answer.error.kind


Start = Callable[..., Peer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    peers: list[Peer] = []

    def begin(*arguments: str, greet: bool = True) -> Peer:
        peer = Peer(tmp_path, *(arguments or (str(ODD),)))
        peers.append(peer)
        if greet:
            peer.greet()
        return peer

    yield begin
    for peer in peers:
        peer.process.kill()
        peer.process.wait()
        peer.stdin.close()
        peer.stdout.close()


# greeting


def test_greeting(start: Start) -> None:
    peer = start("-m", "inference_backend", "serve", greet=False)
    peer.send(Request(0, "hello", {"protocol": protocol.PROTOCOL_VERSION}))
    reply = peer.next()
    assert isinstance(reply, Reply)
    hello = protocol.Hello.read(reply.result)
    assert hello.python == ".".join(map(str, sys.version_info[:3]))
    body = next(model for model in hello.models if model.name == "body")
    assert (body.state, body.license) == ("installed", "CC0-1.0")
    assert body.sha256 is not None


def test_greeting_loads_no_library(start: Start) -> None:
    code = (
        "import sys; sys.argv = ['', 'serve']\n"
        "import inference_backend.server as server\n"
        "server.greeting()\n"
        "loaded = {'torch', 'numpy', 'cv2', 'av', 'scipy', 'numba'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("version", [protocol.PROTOCOL_VERSION + 1, None, "1"])
def test_another_version_is_refused(start: Start, version: object) -> None:
    peer = start(greet=False)
    peer.send(Request(0, "hello", {"protocol": version}), Request(1, "echo", {}))
    answers = [one for one in (peer.next() for _ in range(4)) if not isinstance(one, Malformed)]
    assert [type(one) for one in answers] == [Failure, Failure]
    assert isinstance(answers[0], Failure)
    assert answers[0].error.kind == "ProtocolMismatch"


# the wire


def test_prints_never_reach_the_wire(start: Start) -> None:
    peer = start()
    answer = peer.call(1, "prints")
    assert isinstance(answer, Reply), peer.log.read_text("utf-8")
    assert answer.result == {"read": "", "worker": 0, "child": 0}
    log = peer.log.read_text("utf-8")
    for who in ("by Python: ünder", "to the descriptor", "by C", "by a child", "by a worker"):
        assert f"printed {who}" in log


def test_the_log_has_calls_in_short(start: Start) -> None:
    peer = start()
    assert isinstance(peer.call(1, "echo", text="brief"), Reply)
    assert isinstance(peer.call(2, "echo", text="x" * 5000), Reply)
    assert peer.failure(3, "preview", text="many a second") == "BadArgument"
    log = peer.log.read_text("utf-8")
    assert "call 1 echo {'text': 'brief'}" in log
    assert "x" * 100 in log
    assert "x" * 600 not in log
    assert "many a second" not in log
    assert "call 3 failed" in log


def test_garbage_is_answered_and_work_goes_on(start: Start) -> None:
    peer = start()
    peer.send(b"\n", b"what?\n", b"\xff\x00\n", protocol.encode(Reply(5, 1)))
    for _ in range(3):
        refusal = peer.next()
        assert isinstance(refusal, Failure)
        assert refusal.id is None
    assert isinstance(peer.call(1, "echo"), Reply)


@pytest.mark.parametrize("text", ['ü日本\u2028\n"\\', "\udcff", "x" * 5_000_000])
def test_any_text_travels(start: Start, text: str) -> None:
    answer = start().call(1, "echo", text=text)
    assert isinstance(answer, Reply)
    assert answer.result == {"text": text}


# calls


@pytest.mark.parametrize("kind", [*KINDS, "unforeseen"])
def test_errors(start: Start, kind: str) -> None:
    peer = start()
    assert peer.failure(1, "fails", kind=kind) == ("Internal" if kind == "unforeseen" else kind)
    if kind == "unforeseen":
        assert "ZeroDivisionError: by zerö" in peer.log.read_text("utf-8")
    assert isinstance(peer.call(2, "echo"), Reply)


def test_unforeseen_ends_of_calls(start: Start) -> None:
    peer = start()
    assert peer.failure(1, "unplain") == "Internal"
    assert peer.failure(2, "no_such_method") == "ProtocolMismatch"
    assert isinstance(peer.call(3, "echo"), Reply)


def test_parameters_are_checked(start: Start, tmp_path: Path) -> None:
    peer, clip, out = start(), str(tmp_path / "no ünder.mp4"), str(tmp_path / "a.take")
    for number, (kind, params) in enumerate(
        [
            ("ClipNotFound", {"clip": clip, "out": out}),
            ("BadArgument", {"clip": clip}),
            ("BadArgument", {"clip": "a.mp4", "out": out}),
            ("BadArgument", {"clip": clip, "out": out, "start": 1.5}),
            ("BadArgument", {"clip": clip, "out": out, "overwrite": 1}),
            ("BadArgument", {"clip": clip, "out": out, "heigth": 1.8}),
            ("BadArgument", {"clip": clip, "out": out, "settings": "fit.enabled=false"}),
            ("PresetInvalid", {"clip": clip, "out": out, "preset": "fastt"}),
            ("PresetInvalid", {"clip": clip, "out": out, "cleanup": "stronger"}),
            ("PresetInvalid", {"clip": clip, "out": out, "height": 9}),
            ("PresetInvalid", {"clip": clip, "out": out, "device": "abacus"}),
            ("ClipNotFound", {"clip": clip, "out": out, "people": "all", "height": [1.8, 2]}),
            ("PresetInvalid", {"clip": clip, "out": out, "people": "all", "height": [1.8, 9]}),
            ("BadArgument", {"clip": clip, "out": out, "people": "largest", "height": [1.8, 1.7]}),
            ("BadArgument", {"clip": clip, "out": out, "people": "all", "height": [1.8, "tall"]}),
        ]
    ):
        assert peer.failure(number, "reconstruct", **params) == kind, params
    assert peer.failure(20, "render", take=out, out=clip) == "TakeCorrupt"
    assert peer.failure(21, "render", take=out, out=clip, views=["front", 1]) == "BadArgument"


def test_no_movie(start: Start, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no video at all\n" * 100)
    params = {"clip": str(tmp_path / "notes.mp4"), "out": str(tmp_path / "a.take")}
    assert start().failure(1, "reconstruct", **params) == "UnsupportedVideo"


def test_models_and_devices(start: Start) -> None:
    peer = start("-m", "inference_backend", "serve")
    models, devices = peer.call(1, "models"), peer.call(2, "devices")
    assert isinstance(models, Reply)
    assert isinstance(devices, Reply)
    command = [sys.executable, "-m", "inference_backend", "models", "--json"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert models.result == json.loads(listed.stdout)
    assert devices.result["devices"][-1] == "cpu"


def test_progress_is_held_to_ten_a_second(start: Start) -> None:
    peer, began = start(), time.monotonic()
    peer.send(Request(1, "steps", {"count": 800, "seconds": 0.001}))
    seen = []
    while isinstance(message := peer.next(), Request):
        number, progress = protocol.progress_from_wire(message.params)
        assert number == 1
        seen.append(progress.done)
    assert message == Reply(1, {"steps": 800})
    assert (seen[0], seen[-1]) == (0, 800)
    assert seen == sorted(seen)
    assert 3 < len(seen) <= 10 * (time.monotonic() - began) + 2


# cancel


def test_cancel_of_a_running_call(start: Start) -> None:
    peer = start()
    peer.send(Request(1, "steps", {"count": 100_000, "seconds": 0.001}))
    assert isinstance(peer.next(), Request)
    peer.send(Request(None, "cancel", {"id": 1}))
    answer = peer.answer()
    assert isinstance(answer, Failure)
    assert (answer.id, answer.error.kind) == (1, "Cancelled")
    assert peer.call(2, "echo", a=1) == Reply(2, {"a": 1})


def test_cancel_of_a_waiting_call(start: Start) -> None:
    peer = start()
    peer.send(Request(1, "stubborn", {"seconds": 1}), Request(2, "echo"), Request(3, "echo"))
    peer.send(Request(None, "cancel", {"id": 2}))
    answers = [peer.answer() for _ in range(3)]
    assert [(one.id, type(one)) for one in answers] == [(2, Failure), (1, Reply), (3, Reply)]


@pytest.mark.parametrize("number", [1, 99, None, "1", [1]])
def test_late_and_odd_cancels_hit_nobody(start: Start, number: object) -> None:
    peer = start()
    assert isinstance(peer.call(1, "echo"), Reply)
    peer.send(Request(2, "steps", {"count": 100, "seconds": 0.001}), Request(None, "cancel", {"id": number}))
    assert isinstance(peer.answer(), Reply)


def test_cancel_ends_workers_that_the_job_waits_for(start: Start) -> None:
    peer = start()
    peer.send(Request(1, "workers"))
    assert isinstance(peer.next(), Request)
    peer.send(Request(None, "cancel", {"id": 1}))
    answer = peer.answer()
    assert isinstance(answer, Failure)
    assert answer.error.kind == "Cancelled"
    assert isinstance(peer.call(2, "echo"), Reply)


def test_newest_wins(start: Start) -> None:
    peer = start()
    peer.send(Request(1, "stubborn", {"seconds": 0.5}, slot="drag"))
    assert isinstance(peer.next(), Request)  # it has begun: it is not dropped
    peer.send(*(Request(number, "echo", {"n": number}, slot="drag") for number in (2, 3, 4)), Request(5, "echo"))
    peer.send(Request(6, "echo", {}, slot="other"))
    ends = {answer.id: answer for answer in (peer.answer() for _ in range(6))}
    dropped = {number for number, end in ends.items() if isinstance(end, Failure)}
    assert dropped == {2, 3}
    assert {ends[number].error.kind for number in dropped} == {"Cancelled"}
    assert ends[4] == Reply(4, {"n": 4})


def test_backlog_keeps_order_and_closes() -> None:
    backlog = Backlog()
    one, two, three, four = (Work(n, Request(n, "x", slot=slot)) for n, slot in enumerate(["a", None, "a", "b"], 1))
    assert [backlog.put(work) for work in (one, two, three, four)] == [[], [], [one], []]
    assert backlog.next() is two
    assert backlog.cancel(4) is four
    assert backlog.cancel(2) is None
    assert two.cancelled.is_set()
    assert backlog.next() is three
    backlog.put(four)
    backlog.close()
    assert three.cancelled.is_set()
    assert backlog.next() is None


# the end


def test_ends_with_its_pipe(start: Start) -> None:
    peer = start()
    peer.stdin.close()
    assert peer.process.wait(30) == 0


def test_ends_when_asked(start: Start) -> None:
    peer = start()
    assert peer.call(1, "shutdown") == Reply(1, {})
    assert peer.process.wait(30) == 0


@pytest.mark.parametrize(("job", "code"), [("steps", 0), ("stubborn", 1), ("workers", 0)])
def test_ends_in_the_middle_of_a_job(start: Start, job: str, code: int) -> None:
    peer = start()
    peer.send(Request(1, job, {"count": 100_000, "seconds": 600 if job == "stubborn" else 0.01}))
    assert isinstance(peer.next(), Request)
    family = children(peer.process.pid)
    peer.stdin.close()
    assert peer.process.wait(30) == code
    assert gone(family)


@LINUX
@needs_models
def test_workers_of_a_killed_server_end(start: Start, tmp_path: Path) -> None:
    peer = start("-m", "inference_backend", "serve")
    params = {"clip": str(CLIP), "out": str(tmp_path / "a.take"), "device": "cpu", "settings": {"workers": 2}}
    peer.send(Request(1, "reconstruct", params))
    while not (isinstance(message := peer.next(), Request) and message.params["stage"] == "estimate"):
        assert isinstance(message, Request), message
    family = children(peer.process.pid)
    while len(family) < 3:  # two workers and Python's resource tracker
        family = children(peer.process.pid)
    os.kill(peer.process.pid, signal.SIGKILL)
    assert gone(family)


# real jobs


@needs_models
def test_reconstruct_and_render_of_odd_paths(start: Start, tmp_path: Path) -> None:
    from inference_backend.take import open_take
    from inference_backend.video import VideoSource, read

    folder = tmp_path / "mit Leerzeichen, ünd 日本"
    folder.mkdir()
    clip, out = folder / "ein Clip ä.mp4", folder / "ein täke.take"
    with Mp4Writer(clip, 30, (960, 720)) as writer:
        for frame in read(VideoSource(CLIP, stop=12)):
            assert frame.image is not None
            writer.write(frame.image)
    peer = start("-m", "inference_backend", "serve")
    answer = peer.call(1, "reconstruct", clip=str(clip), out=str(out), device="cpu", settings={"workers": 1})
    assert isinstance(answer, Reply), answer.error
    assert answer.result == {"take": str(out)}
    (person,) = open_take(out).people
    assert person.finished("calibrate")
    answer = peer.call(2, "render", take=str(out), out=str(folder / "ö.mp4"), views=["front"])
    assert answer == Reply(2, {"path": str(folder / "ö.mp4")})
    assert (folder / "ö.mp4").stat().st_size > 0
    answer = peer.call(3, "footage_proxy", clip=str(clip), out=str(folder / "prôxy.mp4"))
    assert isinstance(answer, Reply), answer.error
    assert (answer.result["path"], answer.result["frames"]) == (str(folder / "prôxy.mp4"), 12)
    assert answer.result["fps"] == 30
