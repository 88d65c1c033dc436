"""What cannot be exported: every format and form, in words that name what can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

from pchmr.inference_backend.errors import BadArgument, OutputNotWritable, SceneChanged
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.core.pc2 import CacheCorrupt
from pchmr.pchmr_blender.scene import export_formats
from pchmr.pchmr_blender.scene.exports import ExportOptions, ExportRefused, Format, available, export, refusal
from pchmr.pchmr_blender.scene.handles import find_part, part_of
from pchmr.pchmr_blender.ui.export import draw_formats

from .exported import require, swelling_take
from .scenes import bring, registered


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return swelling_take(tmp_path)


BODY_FORMS = {
    Format.FBX: {Form.COMPRESSED},
    Format.GLB: {Form.COMPRESSED},
    Format.USD: set(Form),
    Format.ABC: set(Form),
    Format.BVH: set(Form),
}
"""What each format is written from."""
BONES = {Format.FBX, Format.GLB, Format.BVH}


@pytest.mark.parametrize("form", list(Form))
def test_every_format_is_written_or_refused_with_the_reason(folder, form):
    (collection,) = bring(folder, form=form, tolerance_mm=0.1)
    for file_format in Format:
        for content in ("BODY", "SKELETON"):
            path = folder.parent / f"{content}.{file_format.value}"
            options = ExportOptions(content=content)
            carried = form in BODY_FORMS[file_format] if content == "BODY" else file_format in BONES
            if carried and available(file_format) is None:
                assert refusal(file_format, form, content) is None
                export(collection, path, file_format, options)
                assert path.stat().st_size > 0
                continue
            with pytest.raises(ExportRefused) as refused:
                export(collection, path, file_format, options)
            assert refused.value.message == refusal(file_format, form, content).message
            assert refused.value.hint
            assert not path.exists()


@pytest.mark.parametrize("form", list(Form))
def test_the_panel_offers_what_can_be_written_and_says_why_not(folder, form):
    class Layout:
        """Keeps the buttons that can be pressed."""

        def __init__(self):
            self.enabled, self.rows, self.asked = True, [], []

        def row(self, **_):
            self.rows.append(Layout())
            return self.rows[-1]

        def operator(self, name, text):
            self.asked.append(SimpleNamespace())
            return self.asked[-1]

    for content in ("BODY", "SKELETON"):
        layout = Layout()
        reasons = draw_formats(layout, form, content)
        offered = {Format(row.asked[0].format) for row in layout.rows if row.enabled}
        assert {row.asked[0].skeleton_only for row in layout.rows} == {content == "SKELETON"}
        able = {one for one in Format if available(one) is None}
        wanted = BONES if content == "SKELETON" else {one for one in Format if form in BODY_FORMS[one]} - {Format.BVH}
        assert offered == wanted & able
        assert all(
            any(Format(row.asked[0].format).label in reason for reason in reasons)
            for row in layout.rows
            if not row.enabled
        )


@pytest.mark.parametrize("form", [Form.ABSOLUTE, Form.PC2])
@pytest.mark.parametrize("file_format", [Format.FBX, Format.GLB])
def test_a_form_that_the_format_cannot_carry_is_refused_with_the_one_that_can(folder, file_format, form):
    require(file_format)
    (collection,) = bring(folder, form=form)
    with pytest.raises(ExportRefused, match=f"{file_format.label} cannot carry") as refused:
        export(collection, folder.parent / "new" / "x.fbx", file_format, ExportOptions())
    assert refused.value.facts["form"] == Form.COMPRESSED.value
    assert "Compressed" in refused.value.hint
    assert refusal(file_format, Form.COMPRESSED) is None
    assert not (folder.parent / "new").exists()


def test_what_this_blender_cannot_write_is_said(folder, monkeypatch):
    class Bare:
        usd = alembic = False

    monkeypatch.setattr(export_formats.bpy, "app", type("app", (), {"build_options": Bare}))
    assert "built without USD" in (available(Format.USD) or "")
    assert "built without Alembic" in (available(Format.ABC) or "")
    assert available(Format.BVH) is None
    assert isinstance(refusal(Format.ABC, Form.PC2), ExportRefused)


def test_an_exporter_that_is_switched_off_is_named():
    import addon_utils

    addon_utils.disable("io_scene_fbx")
    try:
        assert "FBX format" in (available(Format.FBX) or "")
    finally:
        addon_utils.enable("io_scene_fbx")
    assert available(Format.FBX) is None


def test_bones_alone_are_refused_where_there_are_none():
    for file_format in (Format.USD, Format.ABC):
        if available(file_format) is None:
            assert "no bones" in refusal(file_format, Form.PC2, "SKELETON").message


def test_what_is_gone_is_said(folder):
    (collection,) = bring(folder, form=Form.ABSOLUTE)
    bones = part_of(collection, "SKELETON").data.bones
    bones["neck"].name = "Hals"
    with pytest.raises(SceneChanged, match="neck"):
        export(collection, folder.parent / "x.bvh", Format.BVH, ExportOptions())
    bones["Hals"].name = "neck"
    bpy.data.objects.remove(find_part(collection, "BODY"))
    export(collection, folder.parent / "x.bvh", Format.BVH, ExportOptions())
    bpy.data.objects.remove(find_part(collection, "SKELETON"))
    with pytest.raises(SceneChanged):
        export(collection, folder.parent / "x.bvh", Format.BVH, ExportOptions())


def test_a_mesh_cache_that_is_cut_short_is_no_export_of_the_rest_pose(folder):
    require(Format.ABC)
    (collection,) = bring(folder, form=Form.PC2)
    (cache,) = Path(folder.parent).rglob("*.pc2")
    cache.write_bytes(cache.read_bytes()[:-100])
    with pytest.raises(CacheCorrupt):
        export(collection, folder.parent / "x.abc", Format.ABC, ExportOptions())
    assert not (folder.parent / "x.abc").exists()


def test_frames_the_wrong_way_round(folder):
    (collection,) = bring(folder, form=Form.PC2)
    with pytest.raises(BadArgument):
        export(collection, folder.parent / "x.bvh", Format.BVH, ExportOptions(frames=(5, 4)))


def test_a_folder_that_is_a_file(folder):
    (collection,) = bring(folder, form=Form.PC2)
    (folder.parent / "busy").write_bytes(b"")
    with pytest.raises(OutputNotWritable):
        export(collection, folder.parent / "busy" / "x.bvh", Format.BVH, ExportOptions())
