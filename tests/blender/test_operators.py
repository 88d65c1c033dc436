"""Operators without a window: what they do to the scene, and how they fail."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

from pchmr.inference_backend.errors import BadArgument
from pchmr.pchmr_blender import installation, session
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.operators import clip, forms, logs, reconstruct, takes
from pchmr.pchmr_blender.operators.request import out_folder, request_of
from pchmr.pchmr_blender.problems import Problem
from pchmr.pchmr_blender.scene import own_presets
from pchmr.pchmr_blender.scene.handles import find_part, placing_of
from pchmr.pchmr_blender.scene.open_footage import open_footage

from .clips import make_images, make_movie
from .scenes import inventory
from .takes import make_take

pytestmark = pytest.mark.usefixtures("extension")


@pytest.fixture(autouse=True)
def _quiet() -> None:
    session.current.dismiss()


@pytest.fixture
def walk(tmp_path: Path) -> bpy.types.Collection:
    """A take in the scene."""
    bpy.ops.pchmr.import_take(directory=str(make_take(tmp_path / "walk.take")))
    return bpy.data.collections["walk"]


def settings() -> bpy.types.PropertyGroup:
    return bpy.context.scene.pchmr


def problem() -> Problem:
    assert session.current.problem is not None
    return session.current.problem


def test_request_says_what_the_fields_say(tmp_path: Path) -> None:
    own = settings()
    own.clip, own.people, own.person, own.device = str(tmp_path / "ein Tanz ü.mp4"), "INDEX", 2, "CPU"
    own.use_range, own.start, own.end, own.out = True, 10, 19, str(tmp_path / "takes")
    own.focal = 1234.5
    assert request_of(own, overwrite=True).params() == {
        "clip": str(tmp_path / "ein Tanz ü.mp4"),
        "out": str(tmp_path / "takes" / "ein Tanz ü.take"),
        "people": "2",
        "height": 1.7,
        "preset": "default",
        "cleanup": "default",
        "device": "cpu",
        "start": 10,
        "end": 20,
        "overwrite": True,
        "settings": {"camera.focal": 1234.5},
    }


def test_the_clean_up_of_new_takes_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = settings()
    own.clip = "/x.mp4"
    assert bpy.ops.pchmr.use_clip_cleanup(name="off") == {"FINISHED"}
    assert request_of(own).params()["cleanup"] == "off"
    monkeypatch.setattr(own_presets, "own_folder", lambda kind, create=False: tmp_path / kind)
    (tmp_path / "cleanup").mkdir()
    (tmp_path / "cleanup" / "mine.toml").write_text("[floor]\nenabled = false\n", "utf-8")
    own.cleanup = "mine"
    assert request_of(own).params()["cleanup"] == str(tmp_path / "cleanup" / "mine.toml")
    own.cleanup = ""
    assert request_of(own).params()["cleanup"] == "default"


def test_heights_are_of_all_people() -> None:
    own = settings()
    own.clip, own.height, own.height_count = "/x.mp4", 1.6, 2
    own.heights[:2] = 1.82, 1.65
    assert request_of(own).params()["height"] == 1.6
    own.people = "ALL"
    assert request_of(own).params()["height"] == (1.82, 1.65)
    own.height_count = 1
    assert request_of(own).params()["height"] == 1.6


def test_footage_that_is_open_is_used(tmp_path: Path) -> None:
    movie, other = make_movie(tmp_path / "a.avi"), make_movie(tmp_path / "b.avi")
    shots = make_images(tmp_path / "shots", [7, 8, 9])
    bpy.data.movieclips.load(str(movie))
    for path in (movie, other, make_movie(tmp_path / "a.take.footage-0123abcd.mp4")):
        bpy.data.images.load(str(path)).source = "MOVIE"
    bpy.data.images.load(str(shots / "shot_007.png")).source = "SEQUENCE"
    bpy.data.images.new("painted", 4, 4)
    editor = bpy.context.scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    third = make_movie(tmp_path / "c.avi")
    strips.new_movie("third", str(third), 1, 1)
    strips.new_image("one picture", str(shots / "shot_008.png"), 2, 1)
    pictures = strips.new_image("pictures", str(shots / "shot_007.png"), 3, 1)
    pictures.elements.append("shot_008.png")
    found = {(one.kind, one.name): one.path for one in open_footage(bpy.context.scene)}
    pattern = str(shots / "shot_###.png")
    assert found == {
        ("CLIP", "a.avi"): str(movie),
        ("IMAGE", "b.avi"): str(other),
        ("IMAGE", "shot_007.png"): pattern,
        ("STRIP", "third"): str(third),
    }
    for (kind, name), path in found.items():
        bpy.ops.pchmr.use_movie_clip(kind=kind, name=name)
        assert settings().clip == path
    bpy.data.images.remove(bpy.data.images["shot_007.png"])
    bpy.ops.pchmr.use_movie_clip(kind="STRIP", name="pictures")
    assert settings().clip == pattern
    with pytest.raises(RuntimeError, match="no strip gone"):
        bpy.ops.pchmr.use_movie_clip(kind="STRIP", name="gone")


def test_request_of_the_defaults_is_the_whole_clip_beside_it(tmp_path: Path) -> None:
    settings().clip = str(tmp_path / "dance.mov")
    params = request_of(settings()).params()
    assert (params["start"], params["end"], params["people"]) == (0, None, "largest")
    assert params["out"] == str(tmp_path / "dance.take")
    assert params["settings"] == {}


def test_request_refuses_a_range_that_ends_before_it_begins() -> None:
    own = settings()
    own.clip, own.use_range, own.start, own.end = "/x.mp4", True, 5, 4
    with pytest.raises(BadArgument, match="the last frame, 4"):
        request_of(own)


def test_paths_are_seen_from_the_blend(tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    settings().clip, settings().preset = "//footage/dance.mp4", "//mine.toml"
    request = request_of(settings())
    assert request.clip == tmp_path / "footage" / "dance.mp4"
    assert request.preset == str(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("name", "take"),
    [
        ("dance.mp4", "dance.take"),
        ("shot_####.png", "shot.take"),
        ("shot_%04d.png", "shot.take"),
        ("####.png", "folder.take"),
        ("frames", "frames.take"),
        ("a.b.mp4", "a.b.take"),
    ],
)
def test_takes_are_named_after_their_clip(name: str, take: str) -> None:
    assert out_folder(Path("/folder") / name, None) == Path("/folder") / take
    assert out_folder(Path("/folder") / name, Path("/else")) == Path("/else") / take


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("//shot_0012.png", "//shot_####.png"),
        ("/take2/007.exr", "/take2/###.exr"),
        ("C:\\a\\b1c22.png", "C:\\a\\b1c##.png"),
    ],
)
def test_sequences_become_patterns(path: str, pattern: str) -> None:
    assert clip.numbered(path) == pattern


def test_fields_are_filled_in(tmp_path: Path) -> None:
    bpy.ops.pchmr.choose_clip(filepath="/a/clip.mp4")
    assert settings().clip == "/a/clip.mp4"
    bpy.ops.pchmr.choose_output(directory="/a/takes")
    assert settings().out == "/a/takes"
    bpy.ops.pchmr.use_preset(name="fast")
    assert settings().preset == "fast"
    bpy.ops.pchmr.choose_preset(filepath="/a/mine.toml")
    assert settings().preset == "/a/mine.toml"
    bpy.ops.pchmr.use_cpu()
    assert settings().device == "CPU"
    with pytest.raises(RuntimeError, match="no movie clip"):
        bpy.ops.pchmr.use_movie_clip(name="gone")
    assert {"default", "fast", "accurate"} <= set(installation.preset_names())
    assert installation.preset_names()[0] == "default"


def test_reconstruct_wants_a_clip() -> None:
    assert not bpy.ops.pchmr.reconstruct_clip.poll()
    settings().clip = "/x.mp4"
    assert bpy.ops.pchmr.reconstruct_clip.poll()


def test_without_a_backend_the_panel_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PCHMR_BACKEND", str(tmp_path / "none"))
    before = inventory()
    settings().clip = str(tmp_path / "x.mp4")
    with pytest.raises(RuntimeError, match="the backend is not set up"):
        bpy.ops.pchmr.reconstruct_clip()
    assert problem().kind == "EnvironmentInvalid"
    assert "Set Up Backend" in problem().hint
    assert inventory() == before
    installation.look()
    assert not bpy.ops.pchmr.check_backend.poll()
    assert not bpy.ops.pchmr.list_models.poll()


def test_an_interpreter_that_is_none(tmp_path: Path) -> None:
    bpy.context.preferences.addons["pchmr"].preferences.interpreter = str(tmp_path / "no python")
    settings().clip = str(tmp_path / "x.mp4")
    with pytest.raises(RuntimeError, match="cannot be started"):
        bpy.ops.pchmr.reconstruct_clip()
    assert problem().kind == "BackendDied"


def test_nothing_is_downloaded_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not bpy.app.online_access
    monkeypatch.setattr(installation, "_known", installation.Installation(plan=SimpleNamespace(lines=())))
    with pytest.raises(RuntimeError, match="may not go online"):
        bpy.ops.pchmr.install_backend()
    assert problem().kind == "NoNetwork"
    bpy.ops.pchmr.dismiss_plan()
    assert installation.known().plan is None
    assert not bpy.ops.pchmr.install_backend.poll()


def test_a_take_comes_in_and_the_fields_choose_its_form(tmp_path: Path) -> None:
    settings().form = "COMPRESSED"
    settings().tolerance_mm = 2.0
    bpy.ops.pchmr.import_take(directory=str(make_take(tmp_path / "walk.take")))
    own = bpy.data.collections["walk"].pchmr
    assert (own.form, own.tolerance_mm) == ("COMPRESSED", 2.0)
    assert "Imported walk." in session.current.notice


def test_no_take_and_one_of_a_newer_version(tmp_path: Path) -> None:
    before = inventory()
    with pytest.raises(RuntimeError, match=r"take\.json"):
        bpy.ops.pchmr.import_take(directory=str(tmp_path))
    assert problem().kind == "TakeCorrupt"
    folder = make_take(tmp_path / "walk.take")
    record = json.loads((folder / "take.json").read_text("utf-8"))
    (folder / "take.json").write_text(json.dumps({**record, "version": 99}), "utf-8")
    with pytest.raises(RuntimeError, match="version 99"):
        bpy.ops.pchmr.import_take(directory=str(folder))
    assert problem().kind == "TakeVersion"
    assert inventory() == before


def test_forms_change(walk: bpy.types.Collection) -> None:
    for form in (Form.PC2, Form.COMPRESSED, Form.ABSOLUTE):
        bpy.ops.pchmr.set_form(form=form.value, tolerance_mm=3.0)
        assert walk.pchmr.form == form.value
    assert walk.pchmr.tolerance_mm == 3.0


def test_costs_are_said() -> None:
    text = forms.cost_text(Form.PC2, 1000, 13718, 1.0)
    assert text == "0 kB in the .blend, 329 kB of memory, 165 MB beside the take"
    assert forms.cost_text(Form.COMPRESSED, 1000, 13718, 1.0).startswith("about ")
    assert "GB" in forms.cost_text(Form.ABSOLUTE, 10000, 13718, 1.0)


def test_retime_moves_and_stretches(walk: bpy.types.Collection) -> None:
    rate = placing_of(walk).fps
    bpy.ops.pchmr.retime_take(start=101.0, speed=50.0)
    assert placing_of(walk).start == 101.0
    assert placing_of(walk).fps == pytest.approx(2 * rate)
    bpy.ops.pchmr.retime_take(start=1.0, speed=100.0)
    assert placing_of(walk).fps == pytest.approx(rate)


def test_bake_removes_the_controls(walk: bpy.types.Collection) -> None:
    assert find_part(walk, "TARGETS") is not None
    bpy.ops.pchmr.bake_take()
    assert find_part(walk, "TARGETS") is None
    assert walk.pchmr.baked


def test_selecting_a_person_makes_the_panel_be_about_it(tmp_path: Path) -> None:
    bpy.ops.pchmr.import_take(directory=str(make_take(tmp_path / "walk.take", people=2)))
    for name in ("walk 1", "walk 0"):
        bpy.ops.pchmr.select_person(collection=name)
        assert bpy.context.active_object == find_part(bpy.data.collections[name], "BODY")
        assert takes.active_person(bpy.context).name == name
    with pytest.raises(RuntimeError, match="nothing of nobody is visible"):
        bpy.ops.pchmr.select_person(collection="nobody")


def test_a_lost_take_is_found_again(walk: bpy.types.Collection, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "renamed.take"
    moved.parent.mkdir()
    (tmp_path / "walk.take").rename(moved)
    with pytest.raises(RuntimeError, match=r"walk\.take is not at"):
        bpy.ops.pchmr.set_form(form="PC2")
    assert problem().kind == "TakeNotFound"
    with pytest.raises(RuntimeError, match="is not at"):
        bpy.ops.pchmr.relink_take(directory=str(make_take(tmp_path / "another.take")))
    bpy.ops.pchmr.relink_take(directory=str(moved))
    assert Path(walk.pchmr.take_absolute) == moved
    bpy.ops.pchmr.set_form(form="PC2")
    assert walk.pchmr.form == "PC2"


def test_a_part_that_was_deleted_is_named(walk: bpy.types.Collection) -> None:
    body = find_part(walk, "BODY")
    bpy.data.objects.remove(body)
    bpy.context.view_layer.objects.active = find_part(walk, "SKELETON")
    with pytest.raises(RuntimeError, match="has no body any more"):
        bpy.ops.pchmr.set_form(form="PC2")
    assert problem().kind == "SceneChanged"


def test_a_fault_of_ours_becomes_a_report_with_a_log(
    walk: bpy.types.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(person: bpy.types.Collection) -> None:
        raise ZeroDivisionError("so it goes")

    monkeypatch.setattr(takes, "bake", broken)
    with pytest.raises(RuntimeError, match="ZeroDivisionError: so it goes"):
        bpy.ops.pchmr.bake_take()
    assert problem().kind == "Internal"
    log = Path(problem().log)
    assert "in broken" in log.read_text("utf-8")
    bpy.ops.pchmr.open_log(which="PROBLEM")
    log.unlink()
    with pytest.raises(RuntimeError, match="there is no log"):
        bpy.ops.pchmr.open_log(which="PROBLEM")
    bpy.ops.pchmr.dismiss()
    assert session.current.problem is None
    assert not bpy.ops.pchmr.copy_problem.poll()


def test_logs_have_their_places() -> None:
    assert logs.log_file("SETUP").name == "setup.log"
    assert logs.log_file("BACKEND") == installation.log_path() == logs.log_file("PROBLEM")


def test_a_person_is_exported(walk: bpy.types.Collection, tmp_path: Path) -> None:
    bpy.ops.pchmr.export_person(filepath=str(tmp_path / "out" / "wälk"), format="bvh")
    assert (tmp_path / "out" / "wälk.bvh").is_file()


def test_the_export_can_be_pressed_in_object_and_pose_mode_only(walk: bpy.types.Collection) -> None:
    bpy.context.view_layer.objects.active = find_part(walk, "SKELETON")
    for mode, able in (("OBJECT", True), ("POSE", True), ("EDIT", False)):
        bpy.ops.object.mode_set(mode=mode)
        assert bpy.ops.pchmr.export_person.poll() == able
    bpy.ops.object.mode_set(mode="OBJECT")


def test_an_export_that_the_form_forbids_names_the_one_that_can(walk: bpy.types.Collection, tmp_path: Path) -> None:
    assert walk.pchmr.form == "ABSOLUTE"
    with pytest.raises(RuntimeError, match="cannot carry"):
        bpy.ops.pchmr.export_person(filepath=str(tmp_path / "walk.fbx"), format="fbx")
    assert problem().kind == "ExportRefused"
    assert not (tmp_path / "walk.fbx").exists()


def test_import_options_follow_the_fields() -> None:
    options = reconstruct.import_options(settings())
    assert (options.form, options.tolerance_mm, options.footage_offset) == (None, 1.0, None)
    settings().form, settings().footage_offset = "PC2", 3.0
    options = reconstruct.import_options(settings())
    assert (options.form, options.footage_offset) == (Form.PC2, 3.0)
