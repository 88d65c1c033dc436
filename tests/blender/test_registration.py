"""The extension comes and goes without a trace; what it registers follows the house's rules; its panels draw."""

from __future__ import annotations

import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import pytest

import pchmr
from pchmr.inference_backend.errors import KINDS
from pchmr.pchmr_blender import installation, registration, session
from pchmr.pchmr_blender.activities import Status
from pchmr.pchmr_blender.constants import PACKAGE, VERSION
from pchmr.pchmr_blender.operators.reporting import Reporting
from pchmr.pchmr_blender.preferences import find_interpreter, is_set_up, preferences
from pchmr.pchmr_blender.problems import Problem
from pchmr.pchmr_blender.ui import messages
from pchmr.pchmr_blender.ui.panels import PCHMR_PT_clip
from pchmr.pchmr_blender.ui.repairs import REPAIRS, repairs_for, repairs_of_person

from .scenes import bring
from .takes import make_take

OPERATORS = [cls for cls in registration.CLASSES if issubclass(cls, bpy.types.Operator)]
PANELS = [cls for cls in registration.CLASSES if issubclass(cls, (bpy.types.Panel, bpy.types.Menu))]


class Layout:
    """Stands in for Blender's layout, which there is in a window only: takes everything, notes what was drawn."""

    def __init__(self, drawn: list[str] | None = None) -> None:
        self.drawn = [] if drawn is None else drawn

    def label(self, text: str = "", **_: Any) -> None:
        self.drawn.append(text)

    def operator(self, name: str, **options: Any) -> SimpleNamespace:
        assert registered(name), name
        self.drawn.append(name)
        return SimpleNamespace()

    def menu(self, name: str, **_: Any) -> None:
        assert hasattr(bpy.types, name), name

    def prop(self, owner: Any, name: str, **_: Any) -> None:
        assert name in owner.bl_rna.properties, name
        self.drawn.append(name)

    def prop_enum(self, owner: Any, name: str, value: str, **_: Any) -> None:
        assert value in owner.bl_rna.properties[name].enum_items

    def progress(self, *, factor: float, text: str) -> None:
        assert 0 <= factor <= 1
        self.drawn.append(text)

    def template_list(
        self, kind: str, name: str, owner: Any, items: str, active_owner: Any, active: str, **_: Any
    ) -> None:
        assert hasattr(bpy.types, kind), kind
        self.drawn.append(f"{len(getattr(owner, items))} {items}")
        getattr(active_owner, active)

    def separator(self) -> None:
        pass

    def row(self, **_: Any) -> Layout:
        return Layout(self.drawn)

    column = box = grid_flow = split = row


def registered(operator: str) -> bool:
    """Whether Blender knows an operator."""
    group, _, name = operator.partition(".")
    try:
        getattr(getattr(bpy.ops, group), name).get_rna_type()
    except (KeyError, AttributeError):
        return False
    return True


def drawn(cls: type) -> list[str]:
    """What a panel shows."""
    layout = Layout()
    # Only what a panel of the sidebar gets, and reads.
    context = SimpleNamespace(
        scene=bpy.context.scene,
        region=SimpleNamespace(width=300),
        active_object=bpy.context.view_layer.objects.active,
        view_layer=bpy.context.view_layer,
        collection=bpy.context.collection,
    )
    if not hasattr(cls, "poll") or cls.poll(context):
        cls.draw(SimpleNamespace(layout=layout), context)
    return layout.drawn


def traces() -> dict[str, Any]:
    """What the extension may leave in Blender."""
    handlers = {name: len(getattr(bpy.app.handlers, name)) for name, _ in registration.HANDLERS}
    return {
        "types": sorted(name for name in dir(bpy.types) if "pchmr" in name.lower()),
        "operators": sorted(dir(bpy.ops.pchmr)),
        "handlers": handlers,
        "pointers": [kind for kind in (bpy.types.Scene, bpy.types.Collection) if hasattr(kind, "pchmr")],
        "threads": [thread for thread in threading.enumerate() if thread.name.startswith("backend")],
    }


def test_it_leaves_nothing_behind_however_often() -> None:
    before = traces()
    assert not before["types"]
    for _ in range(2):
        pchmr.register()
        assert len(traces()["types"]) >= len(OPERATORS)
        pchmr.unregister()
        assert traces() == before


def test_registering_twice_fails_loudly_and_changes_nothing(extension: ModuleType) -> None:
    before = traces()
    with pytest.raises(ValueError, match="already registered"):
        extension.register()
    assert traces() == before


def test_a_class_that_blender_refuses_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = traces()

    class Bad(bpy.types.Operator):
        bl_idname = "no dot"
        bl_label = ""

    monkeypatch.setattr(registration, "CLASSES", (*registration.CLASSES, Bad))
    with pytest.raises((ValueError, RuntimeError)):
        registration.register()
    assert traces() == before


@pytest.mark.parametrize("cls", OPERATORS, ids=lambda cls: cls.__name__)
def test_operators_follow_the_rules(cls: type[bpy.types.Operator]) -> None:
    group, _, name = cls.bl_idname.partition(".")
    assert (group, cls.__name__) == ("pchmr", f"PCHMR_OT_{name}")
    assert cls.__doc__
    assert not cls.__doc__.endswith(".")  # Blender adds it
    assert cls.bl_label
    if "execute" not in vars(cls):
        assert issubclass(cls, Reporting)
        assert cls.__mro__.index(Reporting) < cls.__mro__.index(bpy.types.Operator)


@pytest.mark.parametrize("cls", OPERATORS, ids=lambda cls: cls.__name__)
def test_every_poll_answers_without_a_window(cls: type[bpy.types.Operator], extension: ModuleType) -> None:
    name = cls.bl_idname.partition(".")[2]
    assert getattr(bpy.ops.pchmr, name).poll() in (True, False)


def test_preferences_are_kept_under_the_root_package(extension: ModuleType) -> None:
    assert PACKAGE == "pchmr"
    own = preferences()
    assert own is not None
    assert own.interpreter == ""
    own.interpreter = "/somewhere/python"
    assert is_set_up()
    assert find_interpreter() == Path("/somewhere/python")
    assert VERSION.count(".") == 2


def test_without_an_entry_in_the_preferences_it_works_all_the_same() -> None:
    pchmr.register()
    try:
        assert preferences() is None
        assert find_interpreter() is None or installation.known().environment is not None
    finally:
        pchmr.unregister()


@pytest.mark.parametrize("cls", PANELS, ids=lambda cls: cls.__name__)
def test_panels_draw_an_empty_scene(cls: type, extension: ModuleType) -> None:
    drawn(cls)


def test_panels_draw_a_height_for_each_of_several_people(extension: ModuleType) -> None:
    own = bpy.context.scene.pchmr
    own.height_count = 3
    assert drawn(PCHMR_PT_clip).count("heights") == 0
    own.people = "ALL"
    shown = drawn(PCHMR_PT_clip)
    assert (shown.count("heights"), shown.count("height"), shown.count("height_count")) == (3, 0, 1)


def test_panels_draw_a_take(extension: ModuleType, tmp_path: Path) -> None:
    bring(make_take(tmp_path / "walk.take", people=2))
    bpy.context.view_layer.objects.active = bpy.context.scene.objects[0]
    shown = [text for cls in PANELS for text in drawn(cls)]
    assert shown.count("pchmr.select_person") == 2
    assert "pchmr.set_form" in shown
    assert any("footage" in text for text in shown)  # no program can play it, and the panel says so


def test_panels_draw_what_is_under_way_and_what_went_wrong(
    extension: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = Status("Finding people", 0.25, 75.0, "3 of 12")
    activity = SimpleNamespace(title="Reconstructing walk.mp4", status=lambda: status, cancelling=False)
    monkeypatch.setattr(session.current, "activity", activity)
    shown = drawn(PCHMR_PT_clip)
    assert "Finding people  25%" in shown
    assert "3 of 12   1:15 left" in shown
    assert "pchmr.cancel" in shown
    monkeypatch.setattr(session.current, "activity", None)
    monkeypatch.setattr(session.current, "problem", Problem("DiskFull", "full", "free some", "a\nb", "/x.log"))
    shown = drawn(PCHMR_PT_clip)
    assert {"full", "free some", "a", "b", "pchmr.choose_output", "pchmr.open_log"} <= set(shown)


def test_preferences_draw(extension: ModuleType) -> None:
    own, layout = preferences(), Layout()
    assert own is not None
    type(own).draw(SimpleNamespace(layout=layout, interpreter="", bl_rna=own.bl_rna), bpy.context)
    assert {"pchmr.plan_setup", "pchmr.check_backend", "pchmr.remove_backend", "pchmr.list_models"} <= set(layout.drawn)


def test_every_repair_is_of_a_kind_and_an_operator(extension: ModuleType) -> None:
    known = set(KINDS)
    assert set(REPAIRS) <= known
    for kind in known:
        take = Path("/x.take")
        for repair in repairs_for(Problem(kind, "", "", take=str(take), path=str(take / "take.json")), [take]):
            assert registered(repair.operator)
            fields = getattr(bpy.ops.pchmr, repair.operator.partition(".")[2]).get_rna_type().properties
            assert set(repair.properties) <= set(fields.keys())
        assert all(registered(repair.operator) for repair in repairs_of_person(kind))


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (90, "1:30"), (3725, "1:02:05")])
def test_clock(seconds: float, text: str) -> None:
    assert messages.clock(seconds) == text


def test_texts_are_wrapped() -> None:
    layout = Layout()
    messages.draw_text(layout, "word " * 40, 300)
    assert len(layout.drawn) > 3
    assert " ".join(layout.drawn).split() == ["word"] * 40
