"""The session: jobs of a backend process that is real but for its networks, and work in threads."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

from pchmr.inference_backend.errors import Cancelled, NoPersonFound
from pchmr.pchmr_blender import session
from pchmr.pchmr_blender.activities import BackendJob, Status, ThreadJob, Work
from pchmr.pchmr_blender.backend.client import Client
from pchmr.pchmr_blender.backend.process import Launch
from pchmr.pchmr_blender.operators import backend_jobs, reconstruct
from pchmr.pchmr_blender.operators.request import request_of
from pchmr.pchmr_blender.scene.handles import people_in
from pchmr.pchmr_blender.scene.import_take import ImportOptions

from .backends import is_running, stub_backend, turn_until
from .takes import make_take

pytestmark = pytest.mark.usefixtures("extension")
current = session.current


@pytest.fixture(autouse=True)
def backend(tmp_path: Path) -> Iterator[Launch]:
    current.dismiss()
    with stub_backend(tmp_path) as launch:
        yield launch


def begin(act: str, tmp_path: Path) -> None:
    """Begin a reconstruction as a window does: it goes on in turns."""
    bpy.context.scene.pchmr.clip = str(tmp_path / f"{act}.mp4")
    request = request_of(bpy.context.scene.pchmr)
    work = reconstruct.reconstruction(request, ImportOptions(), bpy.context.scene.session_uid)
    client = current.client(backend_jobs.launch())
    current.begin(BackendJob(f"Reconstructing {act}", client, work(client)))


def ended() -> bool:
    return current.activity is None


def reported() -> bool:
    """Whether the backend has told how far it is."""
    return current.activity is not None and current.activity.status().stage == "Finding people"


def test_a_clip_ends_in_the_scene(tmp_path: Path) -> None:
    make_take(tmp_path / "good.take")
    bpy.context.scene.pchmr.clip = str(tmp_path / "good.mp4")
    bpy.ops.pchmr.reconstruct_clip()
    assert [person.name for person in people_in(bpy.context.scene)] == ["good"]
    assert "Imported good." in current.notice
    assert current.problem is None
    assert current.backend_pid is not None  # it stays, for the next


def test_the_panel_sees_how_far_it_is(tmp_path: Path) -> None:
    make_take(tmp_path / "good.take")
    begin("good", tmp_path)
    assert current.activity is not None
    seen = set()
    while not ended():
        seen.add(current.activity.status())
        current.turn()
        time.sleep(0.002)
    assert any(status.stage == "Finding people" and status.detail.endswith("of 5") for status in seen)
    assert Status("Importing good.take") in seen


@pytest.mark.parametrize("kind", ["NoPersonFound", "TakeMismatch", "OutputNotWritable", "WeightsMissing"])
def test_errors_of_the_backend_stand_in_the_panel(kind: str, tmp_path: Path) -> None:
    bpy.context.scene.pchmr.clip = str(tmp_path / f"{kind}.mp4")
    with pytest.raises(RuntimeError, match=f"the stub says {kind}"):
        bpy.ops.pchmr.reconstruct_clip()
    assert current.problem is not None
    assert (current.problem.kind, current.problem.hint) == (kind, f"This is the hint of {kind}.")


def test_a_death_is_told_with_the_last_words_and_the_next_job_runs(tmp_path: Path) -> None:
    bpy.context.scene.pchmr.clip = str(tmp_path / "dies.mp4")
    with pytest.raises(RuntimeError, match="exit code 9"):
        bpy.ops.pchmr.reconstruct_clip()
    assert current.problem is not None
    assert current.problem.kind == "BackendDied"
    assert "the stub's last words" in current.problem.output
    make_take(tmp_path / "good.take")
    bpy.context.scene.pchmr.clip = str(tmp_path / "good.mp4")
    # A backend that was of no use is not started again at once.
    current.stop_backend()
    bpy.ops.pchmr.reconstruct_clip()
    assert current.problem is None
    assert people_in(bpy.context.scene)


def test_cancel_stops_the_job_and_keeps_the_backend(tmp_path: Path) -> None:
    begin("slow", tmp_path)
    turn_until(reported)
    pid = current.backend_pid
    bpy.ops.pchmr.cancel()
    assert not bpy.ops.pchmr.cancel.poll()
    turn_until(ended)
    assert "cancelled" in current.notice
    assert current.problem is None
    assert current.backend_pid == pid
    assert not people_in(bpy.context.scene)


def test_cancel_ends_a_job_that_does_not_hear(tmp_path: Path) -> None:
    begin("deaf", tmp_path)
    turn_until(reported)
    bpy.ops.pchmr.cancel()
    turn_until(ended)
    assert "cancelled" in current.notice
    make_take(tmp_path / "good.take")
    begin("good", tmp_path)
    turn_until(ended)
    assert people_in(bpy.context.scene)


def test_there_is_one_job_at_a_time(tmp_path: Path) -> None:
    begin("slow", tmp_path)
    for name in ("reconstruct_clip", "plan_setup", "import_take", "remove_backend"):
        assert not getattr(bpy.ops.pchmr, name).poll()
    with pytest.raises(RuntimeError, match="is under way"):
        current.begin(ThreadJob("another", lambda report, cancelled: None))
    current.activity.cancel()
    turn_until(ended)


def test_a_file_that_is_loaded_meanwhile_loses_no_take(tmp_path: Path) -> None:
    folder = make_take(tmp_path / "good.take")
    begin("good", tmp_path)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    turn_until(ended)
    assert current.problem is not None
    assert (current.problem.kind, current.problem.take) == ("SceneChanged", str(folder))
    bpy.ops.pchmr.import_take(directory=current.problem.take)
    assert people_in(bpy.context.scene)


def test_a_backend_of_another_version(tmp_path: Path) -> None:
    bpy.context.scene.pchmr.clip = str(tmp_path / "good.mp4")
    with stub_backend(tmp_path, "foreign"), pytest.raises(RuntimeError, match="protocol"):
        bpy.ops.pchmr.reconstruct_clip()
    assert current.problem is not None
    assert current.problem.kind == "ProtocolMismatch"


def test_an_interpreter_without_the_packages(tmp_path: Path, backend: Launch) -> None:
    real = Launch(backend.interpreter, backend.root, backend.log)
    client = current.client(real)

    def work(client: Client) -> Work:
        yield client.call("footage_proxy", {"clip": str(tmp_path / "x.mp4"), "out": str(tmp_path / "y.mp4")})

    current.begin(BackendJob("Making a stand-in", client, work(client)))
    turn_until(ended)
    assert current.problem is not None
    if current.problem.kind == "ClipNotFound":
        pytest.skip("this Blender's Python has all that the backend needs")
    assert current.problem.kind == "EnvironmentInvalid"
    assert "lacks a package" in current.problem.message


def test_disabling_the_extension_ends_the_process(tmp_path: Path) -> None:
    begin("slow", tmp_path)
    turn_until(reported)
    pid = current.backend_pid
    assert pid is not None
    current.close()
    assert ended()
    if sys.platform != "win32":
        assert not is_running(pid)


def test_another_interpreter_ends_the_former_process(tmp_path: Path, backend: Launch) -> None:
    make_take(tmp_path / "good.take")
    begin("good", tmp_path)
    turn_until(ended)
    first = current.backend_pid
    current.client(Launch(backend.interpreter, backend.root, tmp_path / "other.log", arguments=backend.arguments))
    assert current.backend_pid != first


def test_threads_bring_their_result_to_this_thread() -> None:
    seen: list[object] = []

    def work(report, cancelled):
        report(Status("working", 0.5))
        return threading.current_thread()

    current.begin(ThreadJob("thinking", work, lambda thread: seen.extend((thread, threading.current_thread()))))
    turn_until(ended)
    assert seen[0] is not threading.current_thread()
    assert seen[1] is threading.current_thread()


def test_threads_raise_on_this_thread() -> None:
    def work(report, cancelled):
        raise NoPersonFound("nobody", hint="look again")

    current.begin(ThreadJob("thinking", work))
    with pytest.raises(NoPersonFound):
        current.wait()
    assert current.problem is not None
    assert current.problem.kind == "NoPersonFound"


@pytest.mark.parametrize("hears", [True, False])
def test_threads_are_cancelled_and_left_where_they_do_not_hear(hears: bool) -> None:
    release = threading.Event()

    def work(report, cancelled):
        while not (hears and cancelled()) and not release.is_set():
            time.sleep(0.01)
        raise Cancelled("stopped", hint="")

    current.begin(ThreadJob("thinking", work))
    current.activity.cancel()
    assert current.activity.cancelling
    with pytest.raises(Cancelled):
        current.wait()
    release.set()
    assert current.problem is None
    assert "cancelled" in current.notice
