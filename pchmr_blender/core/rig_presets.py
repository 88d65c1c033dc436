# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets of rigs in files: TOML that names the bones of one make of rig by role, and the switches it needs.

name = "Unreal Mannequin"
sides = ["l", "r"]                       # what {side} stands for, left first

[bones]
pelvis = "pelvis"
spine = ["spine_01", "spine_02"]         # from the pelvis up; bones that a rig lacks are passed over
thigh = "thigh_{side}"

[[switches]]                             # custom properties of bones, set and keyed
bone = "thigh_parent.{side}"
property = "IK_FK"
value = 1.0
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import tomllib

from ...inference_backend import disk
from ...inference_backend.errors import PresetInvalid
from .bone_map import ARM, LEG, NECK, REQUIRED, SIDES, SPINE, Bone, BoneMap, Switch
from .bone_names import plain
from .bone_tree import BoneTree

FOLDER: Final = Path(__file__).resolve().parents[2] / "presets" / "rigs"
"""The presets that come with the extension."""

SUFFIX: Final = ".toml"

_KEYS: Final = ("name", "description", "sides", "bones", "switches")
_MIDDLE: Final = ("root", "pelvis", "head")
_LISTS: Final = {"spine": SPINE, "neck": NECK}
_BONE_KEYS: Final = (*_MIDDLE, *_LISTS, *ARM, *LEG)
_SWITCH_KEYS: Final = ("bone", "property", "value")
_SIDE: Final = "{side}"


@dataclass(frozen=True)
class RigPreset:
    """One make of rig."""

    name: str
    """As people read it."""
    description: str
    """What it is for."""
    bones: tuple[tuple[str, str], ...]
    """Role of `ROLES`, or `spine` and `neck` in their order from below, and bone."""
    switches: tuple[Switch, ...]
    """Custom properties to set."""

    def fitted(self, there: Collection[str]) -> BoneMap:
        """The preset's bones as far as an armature has them, under the armature's namespace."""
        known = {**plain(there), **{name.lower(): name for name in there}}
        mine = plain(bone for _, bone in self.bones)
        bare = {name: short for short, name in mine.items()}
        found: dict[str, str] = {}
        for role, bone in self.bones:
            # Mixamo numbers its namespaces, and game engines take them off.
            actual = bone if bone in there else known.get(bone.lower(), known.get(bare.get(bone, ""), ""))
            if role in _LISTS:
                role = next((one for one in _LISTS[role] if one not in found), "")
            if actual and role:
                found[role] = actual
        switches = tuple(switch for switch in self.switches if switch.bone in there)
        return BoneMap(found, switches, self.name)


def read_preset(path: Path) -> RigPreset:
    """Read a file. Raises PresetInvalid, which names file, key and what is allowed."""
    try:
        # utf-8-sig: some editors begin a file with a byte order mark.
        values = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise PresetInvalid(f"{path}: {error.strerror}", hint="Check the path.", file=str(path)) from error
    except ValueError as error:  # not TOML or not UTF-8
        raise PresetInvalid(f"{path}: {error}", hint="Correct the file: TOML in UTF-8.", file=str(path)) from error
    return _Reader(path).preset(values)


def presets_in(folders: Iterable[Path]) -> dict[str, Path]:
    """The presets' files by their name without suffix; those of later folders replace those of earlier ones."""
    return {file.stem: file for folder in folders for file in sorted(folder.glob(f"*{SUFFIX}"))}


def best_fit(presets: Iterable[RigPreset], bones: Sequence[Bone]) -> BoneMap | None:
    """The map of the preset that an armature has most bones of; None where none has all that is needed.

    What a preset names and the armature lacks counts against it: a control rig has the deforming bones of other makes.
    A preset without switches must know the whole trunk: Mixamo's names are also those of rigs with more spine bones.
    """
    tree = BoneTree(tuple(bones))
    best: tuple[float, BoneMap] | None = None
    for preset in presets:
        fitted = preset.fitted(tree.bones.keys())
        if not all(role in fitted.bones for role in REQUIRED) or not (fitted.switches or _whole_trunk(tree, fitted)):
            continue
        lists = [role for role, _ in preset.bones if role in _LISTS]
        share = len(fitted.bones) / max(1, len(preset.bones) - len(lists) / 2)
        score = share + 0.5 * bool(fitted.switches)
        if best is None or score > best[0]:
            best = score, fitted
    return best[1] if best is not None else None


def _whole_trunk(tree: BoneTree, fitted: BoneMap) -> bool:
    """Whether every bone between pelvis and head has a role."""
    way = tree.above(fitted.bones["head"]) if "head" in fitted.bones else []
    pelvis = fitted.bones["pelvis"]
    trunk = way[: way.index(pelvis)] if pelvis in way else []
    return set(trunk) <= set(fitted.bones.values())


def write_preset(path: Path, name: str, chosen: BoneMap) -> None:
    """Write a map as a preset that `read_preset` reads back. Raises OutputNotWritable, DiskFull."""
    lines = [f"name = {_quoted(name)}", "", "[bones]"]
    for key in _MIDDLE:
        if key in chosen.bones:
            lines.append(f"{key} = {_quoted(chosen.bones[key])}")
    for key, roles in _LISTS.items():
        listed = [_quoted(chosen.bones[role]) for role in roles if role in chosen.bones]
        if listed:
            lines.append(f"{key} = [{', '.join(listed)}]")
    for part in (*ARM, *LEG):
        pair = [chosen.bones.get(f"{side}_{part}", "") for side in SIDES]
        if any(pair):
            lines.append(f"{part} = [{', '.join(map(_quoted, pair))}]")
    for switch in chosen.switches:
        lines += ["", "[[switches]]", f"bone = {_quoted(switch.bone)}", f"property = {_quoted(switch.property)}"]
        lines.append(f"value = {float(switch.value)!r}")
    disk.replace_file(path, ("\n".join(lines) + "\n").encode("utf-8"))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class _Reader:
    """Checks one file's values."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def preset(self, values: Mapping[str, Any]) -> RigPreset:
        self._known(values, _KEYS, "")
        name = self._text(values, "name", self.path.stem)
        sides = values.get("sides", [])
        if not (
            sides == [] or (isinstance(sides, list) and len(sides) == 2 and all(isinstance(s, str) for s in sides))
        ):
            self._refuse("sides", sides, "two texts, left first")
        table = values.get("bones")
        if not isinstance(table, Mapping) or not table:
            self._refuse("bones", table, f"a table of {', '.join(_BONE_KEYS)}")
        self._known(table, _BONE_KEYS, "bones.")
        bones = [pair for key in _BONE_KEYS if key in table for pair in self._bones(key, table[key], sides)]
        lacking = [role for role in REQUIRED if role not in dict(bones)]
        if lacking:
            keys = " and ".join(dict.fromkeys(role.rpartition("_")[2] for role in lacking))
            self._refuse(f"bones.{keys}", None, "a bone's name; pelvis, thigh and shin are always needed")
        switches = values.get("switches", [])
        if not isinstance(switches, list) or not all(isinstance(entry, Mapping) for entry in switches):
            self._refuse("switches", switches, "[[switches]] tables of bone, property and value")
        made = [switch for entry in switches for switch in self._switches(entry, sides)]
        return RigPreset(name, self._text(values, "description", ""), tuple(bones), tuple(made))

    def _bones(self, key: str, value: Any, sides: list[str]) -> list[tuple[str, str]]:
        """Role and bone of one key of the table."""
        if key in _LISTS:
            if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
                self._refuse(f"bones.{key}", value, "a list of bones' names, from below")
            return [(key, name) for name in value]
        if key in _MIDDLE:
            if not isinstance(value, str) or not value:
                self._refuse(f"bones.{key}", value, "a bone's name")
            return [(key, value)]
        if isinstance(value, str) and _SIDE in value and sides:
            value = [value.replace(_SIDE, side) for side in sides]
        if not isinstance(value, list) or len(value) != 2 or not all(isinstance(name, str) for name in value):
            self._refuse(f"bones.{key}", value, f"a name with {_SIDE} where sides are given, or two names, left first")
        return [(f"{side}_{key}", name) for side, name in zip(SIDES, value, strict=True) if name]

    def _switches(self, entry: Mapping[str, Any], sides: list[str]) -> list[Switch]:
        self._known(entry, _SWITCH_KEYS, "switches.")
        bone, name, value = entry.get("bone"), entry.get("property"), entry.get("value")
        if not isinstance(bone, str) or not bone:
            self._refuse("switches.bone", bone, "a bone's name")
        if not isinstance(name, str) or not name:
            self._refuse("switches.property", name, "the name of a custom property")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self._refuse("switches.value", value, "a number")
        names = [bone.replace(_SIDE, side) for side in sides] if _SIDE in bone else [bone]
        return [Switch(one, name, float(value)) for one in names]

    def _text(self, values: Mapping[str, Any], key: str, default: str) -> str:
        value = values.get(key, default)
        if not isinstance(value, str):
            self._refuse(key, value, "a text")
        return str(value)

    def _known(self, values: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
        for key in values:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, 1)
                meant = f"Did you mean {near[0]}? " if near else ""
                raise PresetInvalid(
                    f"{self.path}: {where}{key} is no setting",
                    hint=f"{meant}Allowed: {', '.join(keys)}.",
                    file=str(self.path), key=f"{where}{key}", allowed=list(keys),
                )  # fmt: skip

    def _refuse(self, key: str, value: Any, allowed: str) -> NoReturn:
        raise PresetInvalid(
            f"{self.path}: {key} = {value!r} is not allowed" if value is not None else f"{self.path}: {key} is missing",
            hint=f"Allowed: {allowed}.",
            file=str(self.path), key=key, value=repr(value), allowed=allowed,
        )  # fmt: skip
