"""What of an import is made before Blender is touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pchmr.inference_backend.errors import Cancelled
from pchmr.pchmr_blender.backend.calls import stopped
from pchmr.pchmr_blender.core import pc2
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.core.prepare import PreparedPerson, cache_path, discard, prepare_person
from pchmr.pchmr_blender.core.skeleton import rest_bones, skeleton_pose
from pchmr.pchmr_blender.core.takes import TakeView, open_view

from ..blender.takes import make_take


@pytest.fixture
def view(tmp_path: Path) -> TakeView:
    return open_view(make_take(tmp_path / "walk.take", frames=20))


def quiet(done: int, total: int) -> None:
    pass


def prepared(view: TakeView, form: Form, cache: Path, tick=quiet, **options) -> PreparedPerson:
    chosen = {"targets": True, "tolerance_mm": 1.0, **options}
    return prepare_person(view.people[0], view.topology, form, cache=cache, tick=tick, **chosen)


def test_curves_are_the_persons(view: TakeView, tmp_path: Path) -> None:
    made, person = prepared(view, Form.ABSOLUTE, tmp_path / "a.pc2"), view.people[0]
    wanted = skeleton_pose(rest_bones(person.rest_joints), person.rotations, person.joints)
    np.testing.assert_array_equal(made.bones.quaternions, wanted.quaternions)
    assert made.base is not None
    assert made.base.locations.shape == (20, 24, 3)
    assert prepared(view, Form.ABSOLUTE, tmp_path / "a.pc2", targets=False).base is None
    assert (made.body.correctives, made.body.cache) == (None, None)


def test_a_cache_gets_its_name_at_the_end_only(view: TakeView, tmp_path: Path) -> None:
    path = tmp_path / "caches" / "a.pc2"
    made = prepared(view, Form.PC2, path)
    assert not path.exists()
    made.body.put_cache()
    assert sorted(file.name for file in path.parent.iterdir()) == ["a.pc2", "a.pc2.rows"]
    pc2.verify(path, view.people[0].vertex_count, 20)
    before = path.read_bytes()
    path.write_bytes(b"old")
    made = prepared(view, Form.PC2, path)
    assert path.read_bytes() == b"old"
    made.body.put_cache()
    assert path.read_bytes() == before


def test_a_cache_that_is_not_wanted_any_more_leaves_the_old_one(view: TakeView, tmp_path: Path) -> None:
    path = tmp_path / "a.pc2"
    path.write_bytes(b"old")
    prepared(view, Form.PC2, path)
    discard([path, tmp_path / "none.pc2"])
    assert path.read_bytes() == b"old"
    assert not list(tmp_path.glob("a.pc2?*"))


@pytest.mark.parametrize("form", [Form.PC2, Form.COMPRESSED])
def test_a_cancel_leaves_no_trace(view: TakeView, tmp_path: Path, form: Form) -> None:
    def cancel(done: int, total: int) -> None:
        raise stopped()

    with pytest.raises(Cancelled):
        prepared(view, form, tmp_path / "caches" / "a.pc2", cancel)
    assert not list((tmp_path / "caches").glob("*"))


def test_the_compressed_body_follows_the_bones_as_the_takes_does(view: TakeView, tmp_path: Path) -> None:
    made = prepared(view, Form.COMPRESSED, tmp_path / "a.pc2")
    assert made.body.correctives is not None
    assert len(made.body.correctives.offsets) == 0  # the made-up take is linear skinning


def test_caches_have_files_of_their_own(view: TakeView, tmp_path: Path) -> None:
    person = view.people[0]
    other = open_view(make_take(tmp_path / "other.take", frames=9)).people[0]
    paths = {
        cache_path(tmp_path, "Body", person),
        cache_path(tmp_path, "Body", other),
        cache_path(tmp_path, "B", person),
    }
    assert len(paths) == 3
    assert cache_path(tmp_path, 'a/b:c*"?', person).parent == tmp_path
    assert len(cache_path(tmp_path, "x" * 300, person).name) < 90
