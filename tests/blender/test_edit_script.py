"""Edits from a script: what is applied to which take, what is refused, and what a second run finds."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from pchmr.inference_backend.errors import BadArgument, PresetInvalid, SceneChanged
from pchmr.pchmr_blender import edit_script, session
from pchmr.pchmr_blender.edit_script import Applied, recalibrate
from pchmr.pchmr_blender.scene.edit_state import committed, layers_of, wanted
from pchmr.pchmr_blender.scene.handles import Handle, part_of, resolve
from pchmr.pchmr_blender.scene.shown_rows import note_shown

from .scenes import bring
from .takes import make_take

pytestmark = pytest.mark.usefixtures("extension")

FRAMES = 20
UP = {"frames": 10, "joint": "left_wrist", "offset": [0, 0.1, 0], "falloff": 2}


@pytest.fixture(autouse=True)
def _backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Makes rows of the hashes that are wanted, and nothing else."""

    def recalibration(handle: Handle, client: object) -> Generator[str, Any, None]:
        yield "Waiting"
        person = resolve(handle)
        hashes = wanted(person, FRAMES).hashes
        found = sorted(Path(bpy.path.abspath(person.pchmr.take)).rglob("target_hash.npy"))
        np.save(found[person.pchmr.person], hashes)
        note_shown(part_of(person, "BODY"), hashes)

    monkeypatch.setattr(edit_script, "recalibration", recalibration)
    monkeypatch.setattr(edit_script, "launch", lambda: None)
    client = SimpleNamespace(pump=lambda: None, hello=None)
    monkeypatch.setattr(session.current, "client", lambda launch: client)


def test_edits_of_one_take(tmp_path: Path) -> None:
    (person,) = bring(make_take(tmp_path / "dance.take", frames=FRAMES))
    assert recalibrate([UP]) == {"dance": Applied(True, 3)}
    assert committed(person).tolist() == [8, 9, 10, 11, 12]
    assert recalibrate([UP]) == {"dance": Applied(False, 0)}
    path = tmp_path / "edits.json"
    path.write_text(json.dumps({"cleanup": "gentle", "edits": [UP]}), "utf-8")
    assert recalibrate(path) == {"dance": Applied(True, FRAMES)}
    assert recalibrate(str(path)) == {"dance": Applied(False, 0)}
    assert layers_of(person)["smoothing"]["enabled"]


def test_takes_are_told_apart(tmp_path: Path) -> None:
    for name in ("dance", "walk"):
        bring(make_take(tmp_path / f"{name}.take", frames=FRAMES))
    with pytest.raises(BadArgument, match=r"edits\[0\]\.clip: missing, and there are several clips"):
        recalibrate([UP])
    done = recalibrate([{**UP, "clip": "walk.mp4"}, {**UP, "clip": "walk.take", "frames": 3}])
    assert done == {"walk": Applied(True, 6)}


def test_a_clean_up_in_tables_changes_what_it_names(tmp_path: Path) -> None:
    (person,) = bring(make_take(tmp_path / "dance.take", frames=FRAMES))
    strip = {"side": "left", "part": "heel", "start": 0.1, "end": 0.4, "locked": True}
    recalibrate({"cleanup": {"foot_contact": {"strips": [strip]}, "smoothing": {"strength": 0.5}}})
    layers = layers_of(person)
    assert (layers["smoothing"]["strength"], layers["smoothing"]["enabled"]) == (0.5, False)
    recalibrate({"cleanup": "strong"})
    layers = layers_of(person)
    assert layers["smoothing"]["enabled"]
    assert layers["foot_contact"]["strips"] == [strip]  # which no preset has
    with pytest.raises(BadArgument, match=r"smoothing\.strenth is no setting"):
        recalibrate({"cleanup": {"smoothing": {"strenth": 1}}})
    with pytest.raises(BadArgument, match="smooth is no layer"):
        recalibrate({"cleanup": {"smooth": {}}})
    with pytest.raises(PresetInvalid):
        recalibrate({"cleanup": "stronger"})
    assert layers_of(person) == layers


def test_a_file_without_a_take() -> None:
    with pytest.raises(SceneChanged, match="no take in this file"):
        recalibrate([UP])
