"""The extension in the window of a real Blender, used with mouse and keys. Pictures of each step: out/window."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import av
import pytest
from blender_window import Window

from ..backend.test_smpl_files import body_of, file_content, write
from ..blender.takes import make_take
from ..process.model_files import Command, published
from .conftest import CLIP, HERE, HIGH, install, install_alone, log, make_root


def with_clip(window: Window) -> Window:
    """The demo clip under a name with a space, where Blender may write beside it."""
    (window.out / "work").mkdir()
    shutil.copyfile(CLIP, window.out / "work" / "demo clip.mp4")
    repeat(CLIP, window.out / "work" / "long clip.mp4", 12)
    return window


def repeat(clip: Path, longer: Path, times: int) -> None:
    """The clip played several times over, for a job that is not done before a mouse finds its Cancel."""
    with av.open(str(longer), "w") as written:
        stream, start = None, 0
        for _ in range(times):
            with av.open(str(clip)) as read:
                source = read.streams.video[0]
                stream = stream or written.add_stream_from_template(source)
                end = start
                for packet in read.demux(source):
                    if packet.dts is not None and packet.pts is not None and packet.duration:
                        packet.pts, packet.dts = packet.pts + start, packet.dts + start
                        end = max(end, packet.pts + packet.duration)
                        packet.stream = stream
                        written.mux(packet)
                start = end


def with_model_files(window: Window) -> Window:
    """A models folder of its own, and files of a person's: some that are models, one that would run something."""
    files, models = window.out / "work", window.out / "models"
    files.mkdir()
    write(files / "größe's Körper.pkl", file_content(body_of("smpl")))
    write(files / "another.pkl", {**file_content(body_of("smpl")), "comment": "another"})
    published(files / "chéck point.bin")
    (files / "evil.pkl").write_bytes(pickle.dumps({"v_template": Command()}))
    (files / "notes.txt").write_text("text", "utf-8")
    models.mkdir()
    for name in ("pose_detection.tflite", "pose_landmark_full.tflite"):
        (models / name).write_bytes(b"")
    return replace(window, env={**window.env, "PCHMR_MODELS": "/out/models"}, size=HIGH)


@pytest.mark.parametrize("suite", ["trixie", "sid"])
def test_installs_into_a_clean_profile(suite: str, archive: Path) -> None:
    window = install(make_root(suite), archive, f"installed_{suite}")
    status = window.run(HERE / "inside_installed.py")
    assert status == 0, log(window, "inside_installed")
    assert "Traceback" not in log(window, "inside_installed")
    window.command("--command", "extension", "list")
    assert "Policy violation" not in log(window, "blender")
    assert "Traceback" not in log(window, "blender")


@pytest.mark.parametrize("suite", ["trixie", "sid"])
def test_reconstruct_play_cancel_undo_save_reload(suite: str, archive: Path) -> None:
    window = with_clip(install(make_root(suite), archive, f"reconstruct_{suite}"))
    status = window.run(HERE / "inside_reconstruct.py", limit=1500)
    assert status == 0, log(window, "inside_reconstruct")
    assert "Traceback" not in log(window, "inside_reconstruct")


@pytest.mark.parametrize("suite", ["trixie", "sid"])
def test_set_up_is_planned_refused_allowed_and_fails_without_a_network(suite: str, archive: Path) -> None:
    window = install_alone(make_root(suite), archive, f"setup_offline_{suite}")
    window = replace(window, env={**window.env, "NETWORK": "no"})
    status = window.run(HERE / "inside_setup.py", limit=240)
    assert status == 0, log(window, "inside_setup")
    assert "Traceback" not in log(window, "inside_setup")


@pytest.mark.parametrize("suite", ["trixie", "sid"])
def test_models_are_shown_with_their_licence_and_added(suite: str, archive: Path) -> None:
    window = with_model_files(install(make_root(suite), archive, f"models_{suite}"))
    status = window.run(HERE / "inside_models.py", limit=600)
    assert status == 0, log(window, "inside_models")
    assert "Traceback" not in log(window, "inside_models")


@pytest.mark.parametrize("state", ["idle", "job", "setup", "import"])
@pytest.mark.parametrize(("how", "ended"), [("quit", 0), ("kill", 137)])
def test_nothing_is_left_when_blender_ends(how: str, ended: int, state: str, archive: Path) -> None:
    window = with_clip(install(make_root("sid"), archive, f"ended_{how}_{state}"))
    make_take(window.out / "work" / "walk.take", frames=200)
    window = replace(window, env={**window.env, "HOW": how, "STATE": state})
    status = window.run(HERE / "inside_quit.py", limit=240)
    said = log(window, "inside_quit")
    assert status == ended, said
    assert "TEST ends" in said
    assert "LEFT BEHIND" not in said
