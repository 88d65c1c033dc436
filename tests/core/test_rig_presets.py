from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pchmr.inference_backend.errors import PresetInvalid
from pchmr.pchmr_blender.core.bone_map import EXPECTED, REQUIRED, ROLES, Bone, BoneMap, Switch
from pchmr.pchmr_blender.core.rig_presets import FOLDER, best_fit, presets_in, read_preset, write_preset

from ..rigs import BUILDS, make_rig

GOOD = """
name = "Mine"
sides = ["L", "R"]
[bones]
pelvis = "hips"
spine = ["s1", "s2"]
thigh = "thigh.{side}"
shin = ["shinL", "shinR"]
[[switches]]
bone = "ik.{side}"
property = "IK_FK"
value = 1
"""
SHIPPED = sorted(presets_in([FOLDER]).values())


def written(folder: Path, text: str, name: str = "mine.toml") -> Path:
    file = folder / name
    file.write_text(text, "utf-8")
    return file


def loose(names: list[str]) -> list[Bone]:
    return [Bone(name, "", np.zeros(3), np.ones(3)) for name in names]


def test_the_makes_that_are_promised_are_there() -> None:
    wanted = {"rigify", "rigify_metarig", "mixamo", "unreal", "unity_humanoid", "auto_rig_pro", "auto_rig_pro_export"}
    assert wanted <= {file.stem for file in SHIPPED}


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_presets_know_a_whole_body(file: Path) -> None:
    preset = read_preset(file)
    names = [bone for _, bone in preset.bones]
    fitted = preset.fitted(names)
    assert fitted.missing() == ()
    assert set(fitted.bones) <= set(ROLES)
    assert len(set(fitted.bones.values())) == len(fitted.bones)
    assert preset.description
    assert preset.name == fitted.preset
    # And an armature that has them all is found to be this make.
    switched = [switch.bone for switch in preset.switches]
    found = best_fit(map(read_preset, SHIPPED), loose([*names, *switched]))
    assert found is not None
    assert found.preset == preset.name


@pytest.mark.parametrize("make", ["mixamo", "ue4", "ue5", "unity"])
@pytest.mark.parametrize("namespace", ["", "char1:", "Armature|"])
def test_fits_whatever_the_namespace(make: str, namespace: str) -> None:
    rig = make_rig(make)
    bare = {name: namespace + name.removeprefix("mixamorig:") for name, *_ in rig.bones} | {"": ""}
    bones = [Bone(bare[name], bare[parent], head, tail) for name, parent, head, tail in rig.bones]
    found = best_fit(map(read_preset, SHIPPED), bones)
    assert found is not None
    assert dict(found.bones) == {role: bare[name] for role, name in rig.truth.items()}


@pytest.mark.parametrize("make", [make for make in BUILDS if make not in ("mixamo", "ue4", "ue5", "unity")])
def test_other_makes_are_left_to_guessing(make: str) -> None:
    assert best_fit(map(read_preset, SHIPPED), [Bone(*row) for row in make_rig(make).bones]) is None


def test_a_file_says_all(tmp_path: Path) -> None:
    preset = read_preset(written(tmp_path, "\ufeff" + GOOD))
    assert preset.name == "Mine"
    names = ["hips", "s2", "thigh.L", "thigh.R", "shinL", "shinR", "ik.L"]
    fitted = preset.fitted(names)
    assert fitted.bones["spine1"] == "s2"  # s1 is not there
    assert fitted.bones["right_thigh"] == "thigh.R"
    assert fitted.switches == (Switch("ik.L", "IK_FK", 1.0),)
    assert set(fitted.missing()) == set(EXPECTED) - {*REQUIRED, "spine1"}


@pytest.mark.parametrize(
    ("change", "key", "hint"),
    [
        (("pelvis =", "pelvsi ="), "bones.pelvsi", "Did you mean pelvis"),
        (('name = "Mine"', "name = 3"), "name", "a text"),
        (('"L", "R"', '"L"'), "sides", "two texts"),
        (('pelvis = "hips"', ""), "bones.pelvis", "always needed"),
        (('pelvis = "hips"', 'pelvis = ""'), "bones.pelvis", "a bone's name"),
        (('["s1", "s2"]', '"s1"'), "bones.spine", "a list of bones"),
        (('["shinL", "shinR"]', '["shinL"]'), "bones.shin", "two names, left first"),
        (('"thigh.{side}"', '"thigh"'), "bones.thigh", "{side}"),
        (("value = 1", "value = true"), "switches.value", "a number"),
        (("value = 1", ""), "switches.value", "a number"),
        (('property = "IK_FK"', "propety = 1"), "switches.propety", "Did you mean property"),
        (("[[switches]]", "[switches]"), "switches", "tables"),
        (("[bones]", "[bone]"), "bone", "Did you mean bones"),
        (('name = "Mine"', "wings = 2"), "wings", "Allowed: name, description"),
    ],
)
def test_what_is_wrong_is_named(change: tuple[str, str], key: str, hint: str, tmp_path: Path) -> None:
    file = written(tmp_path, GOOD.replace(*change), "größer mine.toml")
    with pytest.raises(PresetInvalid) as error:
        read_preset(file)
    assert str(file) in error.value.message
    assert error.value.facts["key"] == key
    assert hint in error.value.hint


@pytest.mark.parametrize("content", [b"no toml [", b"\xff\xfe\x00", b""])
def test_no_toml_at_all(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(content)
    with pytest.raises(PresetInvalid, match=r"x\.toml"):
        read_preset(file)
    with pytest.raises(PresetInvalid, match="No such file"):
        read_preset(tmp_path / "gone.toml")


def test_one_s_own_come_back_and_hide_shipped_ones(tmp_path: Path) -> None:
    bones = {**make_rig("ue5").truth, "head": 'odd "name" \\ ü', "left_toe": ""}
    del bones["left_toe"], bones["right_clavicle"]
    chosen = BoneMap(bones, (Switch("a", 'b"c', 0.5),))
    file = tmp_path / "rigify.toml"
    write_preset(file, "Größer", chosen)
    preset = read_preset(file)
    assert preset.name == "Größer"
    again = preset.fitted([*bones.values(), "a"])
    assert dict(again.bones) == bones
    assert again.switches == chosen.switches
    assert presets_in([FOLDER, tmp_path])["rigify"] == file
    assert presets_in([FOLDER, tmp_path / "gone"])["rigify"] == FOLDER / "rigify.toml"
