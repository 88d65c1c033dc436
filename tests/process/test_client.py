"""The add-on's side of the process boundary: with the real server, and with a scripted peer for faults on the wire."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pchmr.inference_backend import protocol
from pchmr.inference_backend.errors import (
    BackendDied,
    Cancelled,
    ClipNotFound,
    Internal,
    OutputNotWritable,
    ProtocolMismatch,
)
from pchmr.inference_backend.progress import Progress
from pchmr.pchmr_blender.backend import client as client_module
from pchmr.pchmr_blender.backend import process as process_module
from pchmr.pchmr_blender.backend.calls import Call
from pchmr.pchmr_blender.backend.client import Client
from pchmr.pchmr_blender.backend.process import Launch

from .demo_job import CLIP, needs_models
from .processes import LINUX, alive, children, gone

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and links of POSIX")

Start = Callable[..., Client]


def launch(folder: Path, *arguments: str) -> Launch:
    log = folder / "mit Leerzeichen" / "lög.txt"
    return Launch(
        Path(sys.executable), ROOT, log, {"OMP_NUM_THREADS": "1"}, arguments or (str(HERE / "odd_server.py"),)
    )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    clients: list[Client] = []

    def begin(*arguments: str) -> Client:
        clients.append(Client.start(launch(tmp_path, *arguments)))
        return clients[-1]

    yield begin
    for client in clients:
        client.close(0)


def fake(start: Start, *acts: str) -> Client:
    return start(str(HERE / "fake_peer.py"), *acts)


def until_progress(client: Client, call: Call, stage: str) -> None:
    while call.progress is None or call.progress.stage != stage:
        client.pump(0.1)
        assert not call.done, call.error


def error_of(client: Client, call: Call) -> Any:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the caller looks at it
        client.wait(call, 60)
    assert raised.value is call.error
    assert call.done
    assert call.result is None
    return raised.value


# calls


def test_calls_and_callbacks(start: Start) -> None:
    client, told, main = start(), [], threading.current_thread()

    def done(call: Call) -> None:
        assert threading.current_thread() is main
        told.append((call.id, call.result))

    assert client.alive
    assert client.hello is None
    calls = [client.call("echo", {"n": n, "text": "ü\u2028\udcff"}, on_done=done) for n in range(3)]
    assert not any(call.done for call in calls)
    assert client.wait(calls[2], 60)["n"] == 2
    assert told == [(call.id, {"n": n, "text": "ü\u2028\udcff"}) for n, call in enumerate(calls)]
    assert client.hello is not None
    assert client.hello.protocol == protocol.PROTOCOL_VERSION
    assert {model.name for model in client.hello.models} >= {"body", "lifter"}


def test_pump_waits_for_nothing_unless_told(start: Start) -> None:
    client = start()
    call = client.call("stubborn", {"seconds": 0.5})
    turns = 0
    while not call.done:
        client.pump()
        turns += 1
    assert turns > 100
    client.close()
    client.pump(5)


def test_progress(start: Start) -> None:
    client, seen = start(), []
    call = client.call("steps", {"count": 300, "seconds": 0.002}, on_progress=seen.append)
    assert client.wait(call, 60) == {"steps": 300}
    assert all(isinstance(progress, Progress) for progress in seen)
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, 300, 300)
    assert call.progress == seen[-1]


def test_errors_of_jobs(start: Start, tmp_path: Path) -> None:
    client = start()
    missing = {"clip": str(tmp_path / "no ünder.mp4"), "out": str(tmp_path / "a.take")}
    error = error_of(client, client.call("reconstruct", missing))
    assert type(error) is ClipNotFound
    assert "no ünder.mp4" in error.message
    error = error_of(client, client.call("fails", {"kind": "unforeseen"}))
    assert type(error) is Internal
    assert "ZeroDivisionError" in error.facts["traceback"]
    assert type(error_of(client, client.call("no_such_method", {}))) is ProtocolMismatch
    assert client.wait(client.call("echo", {}), 60) == {}


def test_parameters_that_cannot_travel_are_the_callers_fault(start: Start, tmp_path: Path) -> None:
    client = start()
    with pytest.raises(TypeError):
        client.call("echo", {"path": tmp_path})
    assert client.wait(client.call("echo", {}), 60) == {}


def test_waiting_ends(start: Start) -> None:
    client = start()
    call = client.call("stubborn", {"seconds": 600})
    with pytest.raises(TimeoutError):
        client.wait(call, 0.2)
    assert not call.done


def test_big_messages_while_the_backend_does_not_read(start: Start) -> None:
    client = start()
    hang = client.call("stubborn", {"seconds": 0.5})
    calls = [client.call("echo", {"text": "ü" * 3_000_000}) for _ in range(3)]
    assert client.wait(hang, 60) == {}
    for call in calls:
        assert client.wait(call, 60) == {"text": "ü" * 3_000_000}


def test_newest_of_a_slot_wins(start: Start) -> None:
    client = start()
    first = client.call("stubborn", {"seconds": 0.5})
    until_progress(client, first, "stubborn")
    drags = [client.call("echo", {"n": n}, slot="drag") for n in range(4)]
    assert client.wait(drags[3], 60) == {"n": 3}
    assert [type(call.error) for call in drags] == [Cancelled, Cancelled, Cancelled, type(None)]


def test_a_callback_that_fails_loses_nothing(start: Start) -> None:
    client = start()

    def fail(call: Call) -> None:
        raise ZeroDivisionError

    first, second = client.call("echo", {}, on_done=fail), client.call("echo", {"n": 2})
    with pytest.raises(ZeroDivisionError):
        client.wait(first, 60)
    assert first.done
    assert client.wait(second, 60) == {"n": 2}


def test_callbacks_may_call(start: Start) -> None:
    client, ends = start(), []
    client.call("echo", {"n": 1}, on_done=lambda call: ends.append(client.wait(client.call("echo", {"n": 2}), 60)))
    while not ends:
        client.pump(0.1)
    assert ends == [{"n": 2}]


def test_two_clients_at_once(start: Start) -> None:
    one, two = start(), start()
    calls = [(client, client.call("steps", {"count": 50, "seconds": 0.002})) for client in (one, two, one)]
    for client, call in calls:
        assert client.wait(call, 60) == {"steps": 50}
    assert one.pid != two.pid
    one.close()
    assert two.wait(two.call("echo", {}), 60) == {}


# how it is started


@POSIX
def test_package_in_an_odd_place(tmp_path: Path) -> None:
    root = tmp_path / "ünd Leerzeichen 日本"
    root.mkdir()
    (root / "inference_backend").symlink_to(ROOT / "inference_backend")
    (root / "presets").symlink_to(ROOT / "presets")
    client = Client.start(replace(launch(tmp_path, "-m", "inference_backend", "serve"), root=root))
    assert "cpu" in client.wait(client.call("devices", {}), 60)["devices"]
    client.close()


FOR_ANOTHER_PYTHON = {
    "PYTHONHOME": "nowhere", "PYTHONPLATLIBDIR": "nowhere", "PYTHONPATH": "astray", "PYTHONSAFEPATH": "1",
    "PYTHONSTARTUP": "none.py", "PYTHONINSPECT": "1", "PYTHONEXECUTABLE": "nowhere", "PYTHONUSERBASE": "nowhere",
    "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONHASHSEED": "no number",
    "PYTHONMALLOC": "no allocator", "PYTHONOPTIMIZE": "2", "PYTHON_GIL": "no number",
    "VIRTUAL_ENV": "nowhere", "CONDA_PREFIX": "nowhere", "CONDA_PREFIX_1": "nowhere", "__PYVENV_LAUNCHER__": "nowhere",
}  # fmt: skip


def test_variables_for_another_python_do_not_reach_the_backend(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FOR_ANOTHER_PYTHON.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PCHMR_STAYS", "as it is")
    client = start()
    seen = client.wait(client.call("variables", {}), 60)
    assert {name for name, value in FOR_ANOTHER_PYTHON.items() if seen.get(name) == value} == set()
    assert (seen["PYTHONPATH"], seen["PYTHONUTF8"], seen["PCHMR_STAYS"]) == (str(ROOT), "1", "as it is")


@pytest.mark.parametrize("name", FOR_ANOTHER_PYTHON)
def test_no_variable_for_another_python_breaks_the_backend(
    start: Start, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, FOR_ANOTHER_PYTHON[name])
    client = start()
    assert client.wait(client.call("echo", {}), 60) == {}
    client.close()


def test_no_interpreter(tmp_path: Path) -> None:
    missing = replace(launch(tmp_path), interpreter=tmp_path / "no python")
    with pytest.raises(BackendDied, match="no python") as raised:
        Client.start(missing)
    assert "preferences" in raised.value.hint
    client, told = Client(missing), []
    call = client.call("echo", {}, on_done=told.append)
    assert told == []  # callbacks run in pump() only
    assert type(error_of(client, call)) is BackendDied
    assert told == [call]


def test_log_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputNotWritable):
        Client.start(replace(launch(tmp_path), log=tmp_path / "file" / "log.txt"))


def test_long_log_begins_anew(start: Start, tmp_path: Path) -> None:
    log = launch(tmp_path).log
    log.parent.mkdir()
    log.write_bytes(b"old\n" * (process_module.LOG_BYTES // 4 + 1))
    client = start()
    client.wait(client.call("echo", {}), 60)
    assert not log.read_bytes().startswith(b"old")
    client.close()
    again = start()
    again.wait(again.call("echo", {}), 60)
    assert log.read_text("utf-8").count("protocol") == 2


# faults on the wire


def test_another_protocol_is_refused_by_the_backend(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "PROTOCOL_VERSION", protocol.PROTOCOL_VERSION + 1)
    client = start()
    error = error_of(client, client.call("echo", {}))
    assert type(error) is ProtocolMismatch
    assert client.error is error
    assert not client.alive


def test_another_protocol_is_refused_by_the_client(start: Start) -> None:
    client = fake(start, "version", "echo")
    assert type(error_of(client, client.call("echo", {}))) is ProtocolMismatch
    assert not client.alive


def test_noise_before_the_greeting_is_borne(start: Start) -> None:
    client = fake(start, "say:Welcome to Python!", "hello", "echo")
    assert client.wait(client.call("x", {"a": 1}), 60) == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        "a print",
        "{}",
        '{"jsonrpc": "2.0", "id": 77, "result": 1}',
        '{"jsonrpc": "2.0", "id": null, "error": {"code": 1, "message": "no"}}',
        '{"jsonrpc": "2.0", "method": "progress", "params": {"id": 1}}',
        '{"jsonrpc": "2.0", "id": 1, "method": "hello"}',
    ],
)
def test_garbage_after_the_greeting_ends_it(start: Start, text: str) -> None:
    client = fake(start, "hello", "wait", f"say:{text}", "sleep")
    call = client.call("x", {})
    pid = client.pid
    error = error_of(client, call)
    assert type(error) is BackendDied
    assert "the fake peer begins" in error.facts["output"]
    assert not client.alive
    assert pid is not None
    assert gone({pid})


def test_no_greeting(start: Start) -> None:
    client = fake(start, "say:noise", "sleep")
    call, conversation = client.call("x", {}), client._conversation
    assert conversation is not None
    while not conversation._noise:
        client.pump(0.1)
    assert client.alive
    conversation._greeted_until = 0.0
    error = error_of(client, call)
    assert type(error) is BackendDied
    assert "does not answer" in error.message
    assert error.facts["noise"] == ["noise"]
    assert not client.alive


def test_half_a_message_is_death(start: Start) -> None:
    client = start("-c", 'import os; os.write(1, b\'{"jsonrpc": "2.0", "id\'); os._exit(3)')
    error = error_of(client, client.call("x", {}))
    assert "exit code 3" in error.message


# death


@pytest.mark.parametrize("how", [{"how": "exit", "code": 7}, {"how": "crash"}])
def test_death_in_a_job(start: Start, how: dict[str, Any]) -> None:
    client, told = start(), []
    calls = [client.call("dies", how, on_done=told.append), client.call("echo", {}, on_done=told.append)]
    error = error_of(client, calls[0])
    assert type(error) is BackendDied
    assert told == calls
    assert calls[1].error is error
    assert "last words" in error.facts["output"]
    assert ("Fatal Python error" in error.facts["output"]) == (how["how"] == "crash" and sys.platform != "win32")
    assert Path(error.facts["log"]) == client.launch.log
    assert error.facts["exit_code"] == 7 or how["how"] == "crash"
    assert not client.alive
    assert client.error is error


def test_death_at_the_start_says_why(start: Start) -> None:
    client = start("-m", "no_such_package")
    error = error_of(client, client.call("x", {}))
    assert type(error) is BackendDied
    assert "No module named" in error.facts["output"]
    assert "preferences" in error.hint


def test_death_without_calls_is_told(start: Start) -> None:
    client = fake(start, "hello", "exit:5")
    while client.alive:
        client.pump(0.1)
    assert client.error is not None
    assert "last words" in client.error.facts["output"]


@POSIX
def test_hint_where_the_system_killed_it(start: Start) -> None:
    client = start()
    call = client.call("steps", {"count": 10_000, "seconds": 0.01})
    until_progress(client, call, "step")
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)
    assert "memory" in error_of(client, call).hint


def test_closed_pipe_is_death_even_if_the_process_lives(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "REAP_SECONDS", 0.2)
    client = fake(start, "hello", "close", "sleep")
    pid = client.pid
    assert type(error_of(client, client.call("x", {}))) is BackendDied
    assert pid is not None
    assert gone({pid})


def test_next_call_starts_it_again(start: Start) -> None:
    client = start()
    client.wait(client.call("echo", {}), 60)
    before = client.pid
    error_of(client, client.call("dies", {"how": "exit", "code": 1}))
    assert not client.alive
    client.pump()
    assert not client.alive  # not by itself
    assert client.wait(client.call("echo", {"n": 1}), 60) == {"n": 1}
    assert client.pid != before
    assert client.error is None


def test_no_restart_loop(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    client, begun = start("-c", "import sys; sys.exit('cannot live')"), []
    spawn = process_module._spawn
    monkeypatch.setattr(process_module, "_spawn", lambda launch: begun.append(launch) or spawn(launch))
    errors = [error_of(client, client.call("x", {})) for _ in range(10)]
    assert all("cannot live" in error.facts["output"] for error in errors)
    assert begun == []
    monkeypatch.setattr(client_module, "RETRY_SECONDS", 0.0)
    client._useless_until = 0.0
    error_of(client, client.call("x", {}))
    assert len(begun) == 1  # a person may have mended it


@LINUX
@needs_models
def test_killed_server_takes_its_workers_along(start: Start, tmp_path: Path) -> None:
    client = start("-m", "inference_backend", "serve")
    call = client.call("reconstruct", reconstruction(tmp_path))
    until_progress(client, call, "estimate")
    assert client.pid is not None
    family = children(client.pid)
    while len(family) < 3:
        family = children(client.pid)
    os.kill(client.pid, signal.SIGKILL)
    error = error_of(client, call)
    assert type(error) is BackendDied
    assert "reconstruct" in error.facts["output"]
    assert gone(family)


# cancel


def reconstruction(folder: Path, workers: int = 2) -> dict[str, Any]:
    settings = {"workers": workers, "device": "cpu"}
    return {"clip": str(CLIP), "out": str(folder / "ein täke.take"), "settings": settings}


@needs_models
@pytest.mark.parametrize(("stage", "workers"), [("load", 1), ("estimate", 1), ("estimate", 2), ("target", 1)])
def test_cancel_of_a_reconstruction(start: Start, tmp_path: Path, stage: str, workers: int) -> None:
    client = start("-m", "inference_backend", "serve")
    params = {**reconstruction(tmp_path, workers), "end": 40 if stage == "target" else None}
    call = client.call("reconstruct", params)
    until_progress(client, call, stage)
    call.cancel()
    assert type(error_of(client, call)) is Cancelled
    again = {**params, "end": 5, "overwrite": True}  # whether the process was killed or not
    assert client.wait(client.call("reconstruct", again), 120) == {"take": params["out"]}


@LINUX
@needs_models
def test_cancel_ends_workers_and_keeps_the_process(start: Start, tmp_path: Path) -> None:
    client = start("-m", "inference_backend", "serve")
    call = client.call("reconstruct", reconstruction(tmp_path))
    until_progress(client, call, "estimate")
    pid = client.pid
    assert pid is not None
    while len(family := children(pid)) < 3:  # two workers and Python's resource tracker
        client.pump(0.01)
    call.cancel(grace=60)
    assert type(error_of(client, call)) is Cancelled
    assert client.pid == pid
    assert len([one for one in family if alive(one)]) <= 1


def test_polite_cancel_keeps_the_process(start: Start) -> None:
    client, reports = start(), []
    call = client.call("steps", {"count": 10_000, "seconds": 0.001}, on_progress=reports.append)
    until_progress(client, call, "step")
    pid, seen = client.pid, len(reports)
    call.cancel(grace=60)
    call.cancel()
    assert type(error_of(client, call)) is Cancelled
    assert len(reports) == seen
    assert client.wait(client.call("echo", {}), 60) == {}
    assert client.pid == pid


@pytest.mark.parametrize("job", ["stubborn", "hangs"])
def test_job_that_does_not_stop_is_killed(start: Start, job: str) -> None:
    client, told = start(), []
    call = client.call(job, {"seconds": 600}, on_done=told.append)
    behind = client.call("echo", {})
    until_progress(client, call, "hang" if job == "hangs" else job)
    pid = client.pid
    assert pid is not None
    call.cancel(grace=0.2)
    assert not call.done
    assert type(error_of(client, call)) is Cancelled
    assert told == [call]
    assert type(behind.error) is BackendDied
    assert "cancelled job" in behind.error.message
    assert gone({pid})
    assert client.wait(client.call("echo", {}), 60) == {}  # at once: nothing was wrong with it


def test_cancel_before_the_greeting(start: Start) -> None:
    client, told = fake(start, "wait", "sleep"), []
    call = client.call("x", {}, on_done=told.append)
    call.cancel()
    assert told == []
    client.pump()
    assert told == [call]
    assert type(call.error) is Cancelled
    assert client.alive


def test_cancel_of_a_waiting_call_leaves_the_running_one(start: Start) -> None:
    client = start()
    first, second = client.call("steps", {"count": 100, "seconds": 0.005}), client.call("echo", {})
    until_progress(client, first, "step")
    second.cancel(grace=60)
    assert type(error_of(client, second)) is Cancelled
    assert client.wait(first, 60) == {"steps": 100}
    first.cancel()
    assert first.error is None
    assert client.wait(client.call("echo", {}), 60) == {}


def test_death_of_a_cancelled_job_is_a_cancel(start: Start) -> None:
    client = fake(start, "hello", "wait", "wait", "exit:1")
    call = client.call("x", {})
    while client.hello is None:
        client.pump(0.1)
    call.cancel(grace=60)
    assert type(error_of(client, call)) is Cancelled


# the end


@pytest.mark.parametrize("state", ["starting", "idle", "steps", "stubborn", "hangs", "dead"])
def test_close_in_every_state(start: Start, state: str) -> None:
    client, told = start(), []
    pid = client.pid
    assert pid is not None
    if state != "starting":
        client.wait(client.call("echo", {}), 60)
    call = client.call(state if state in ("steps", "stubborn", "hangs") else "echo", {"count": 9999, "seconds": 0.1})
    if state in ("steps", "stubborn", "hangs"):
        until_progress(client, call, {"steps": "step", "hangs": "hang"}.get(state, state))
    if state == "dead":
        error_of(client, client.call("dies", {"how": "exit", "code": 1}))
    call = client.call("echo", {}, on_done=told.append) if state != "dead" else call
    client.close(0.1)
    assert gone({pid})
    assert not client.alive
    assert call.done
    assert told == []
    assert state == "dead" or type(call.error) is Cancelled
    client.close()
    with pytest.raises(RuntimeError):
        client.call("echo", {})


@POSIX
def test_close_of_a_stopped_process(start: Start) -> None:
    client = start()
    client.wait(client.call("echo", {}), 60)
    pid = client.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    client.close(0.1)
    assert gone({pid})


def lonely(folder: Path, method: str, params: dict[str, Any], *quits: str) -> subprocess.Popen[str]:
    script, log = str(HERE / "lonely_client.py"), str(folder / "log.txt")
    command = [sys.executable, script, sys.executable, log, method, json.dumps(params), *quits]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@LINUX
@needs_models
def test_killed_client_leaves_no_orphan(tmp_path: Path) -> None:
    with lonely(tmp_path, "reconstruct", reconstruction(tmp_path)) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        family = {server, *children(server)}
        while len(family) < 4:
            family |= children(server)
        process.kill()
    assert gone(family)


@LINUX
@pytest.mark.parametrize("job", ["steps", "stubborn", "workers"])
def test_killed_client_ends_any_job(tmp_path: Path, job: str) -> None:
    with lonely(tmp_path, job, {"count": 10_000, "seconds": 600 if job == "stubborn" else 0.01}) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        family = {server, *children(server)}
        process.kill()
    assert gone(family)


@pytest.mark.parametrize("job", ["steps", "stubborn", "workers", "hangs"])
def test_quit_without_close(tmp_path: Path, job: str) -> None:
    with lonely(tmp_path, job, {"count": 10_000, "seconds": 600 if job == "stubborn" else 0.01}, "--quit") as process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        assert process.wait(60) == 0
    assert gone({server})


def test_threads_are_daemons_and_end_with_the_process(tmp_path: Path) -> None:
    client = Client.start(launch(tmp_path))
    client.wait(client.call("echo", {}), 60)
    mine = [thread for thread in threading.enumerate() if thread.name.startswith("backend ")]
    assert mine
    assert all(thread.daemon for thread in mine)
    client.close()
    for thread in mine:
        thread.join(30)
        assert not thread.is_alive()
