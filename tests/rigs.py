"""Rigs of other makes, made up from numbers: names as this program or that has them, A-poses, other spines, other axes.

rig = make_rig("mixamo")
rig.bones                   (name, parent, head, tail) in the rig's own axes and unit
rig.truth                   role → bone
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .people import turned

Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""z up, facing -y → y up, facing +z."""
_STUB = np.array([0.0, 0.0, 0.1])
SIDES = (("left", 1.0), ("right", -1.0))


@dataclass(frozen=True)
class Build:
    """How a made-up rig differs. Metres and degrees."""

    middle: tuple[str, ...]
    """Names from the pelvis to the head: pelvis, spine…, neck…, head."""
    necks: int
    """How many of them are the neck's."""
    limbs: dict[str, str]
    """Name of each limb's bone, less its side, by role; `{}` stands for the side. Bones left out are not there."""
    sides: tuple[str, str]
    root: str = ""
    arms: float = 0.0
    """How far the arms hang: 0 is a T-pose."""
    elbow: float = 0.0
    """How far forearms are bent forward at rest."""
    axes: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    unit: float = 1.0
    """Of the rig's lengths in a metre."""
    thigh: float = 0.44
    shin: float = 0.43
    upper_arm: float = 0.28
    forearm: float = 0.26
    hips: float = 0.19
    shoulders: float = 0.36
    ankle: float = 0.09
    at_hips: bool = False
    """Whether the pelvis rests in the origin, as BVH skeletons do."""


@dataclass(frozen=True)
class MadeRig:
    bones: list[tuple[str, str, NDArray[np.float64], NDArray[np.float64]]]
    """Name, parent, head and tail, in the rig's axes and unit."""
    truth: dict[str, str]
    """Role → bone."""

    def head(self, name: str) -> NDArray[np.float64]:
        return next(head for bone, _, head, _ in self.bones if bone == name)


_UE = {"clavicle": "clavicle_{}", "upper_arm": "upperarm_{}", "forearm": "lowerarm_{}", "hand": "hand_{}",
       "thigh": "thigh_{}", "shin": "calf_{}", "foot": "foot_{}", "toe": "ball_{}"}  # fmt: skip
_MIXAMO = {"clavicle": "mixamorig:{}Shoulder", "upper_arm": "mixamorig:{}Arm", "forearm": "mixamorig:{}ForeArm",
           "hand": "mixamorig:{}Hand", "thigh": "mixamorig:{}UpLeg", "shin": "mixamorig:{}Leg",
           "foot": "mixamorig:{}Foot", "toe": "mixamorig:{}ToeBase"}  # fmt: skip
_UNITY = {"clavicle": "{}Shoulder", "upper_arm": "{}UpperArm", "forearm": "{}LowerArm", "hand": "{}Hand",
          "thigh": "{}UpperLeg", "shin": "{}LowerLeg", "foot": "{}Foot", "toe": "{}Toes"}  # fmt: skip
_BIPED = {"clavicle": "Bip01 {} Clavicle", "upper_arm": "Bip01 {} UpperArm", "forearm": "Bip01 {} Forearm",
          "hand": "Bip01 {} Hand", "thigh": "Bip01 {} Thigh", "shin": "Bip01 {} Calf", "foot": "Bip01 {} Foot",
          "toe": "Bip01 {} Toe0"}  # fmt: skip
_DAZ = {"clavicle": "{}Collar", "upper_arm": "{}Shldr", "forearm": "{}ForeArm", "hand": "{}Hand", "thigh": "{}Thigh",
        "shin": "{}Shin", "foot": "{}Foot", "toe": "{}Toe"}  # fmt: skip
_CMU = {"clavicle": "{}Shoulder", "upper_arm": "{}Arm", "forearm": "{}ForeArm", "hand": "{}Hand", "thigh": "{}UpLeg",
        "shin": "{}Leg", "foot": "{}Foot", "toe": "{}ToeBase"}  # fmt: skip
_JOINTS = {"clavicle": "{}Collar", "upper_arm": "{}Shoulder", "forearm": "{}Elbow", "hand": "{}Wrist", "thigh": "{}Hip",
           "shin": "{}Knee", "foot": "{}Ankle"}  # fmt: skip
_DOTTED = {"upper_arm": "upper_arm.{}", "forearm": "forearm.{}", "hand": "hand.{}", "thigh": "thigh.{}",
           "shin": "shin.{}", "foot": "foot.{}"}  # fmt: skip
_MMD = {"clavicle": "{}肩", "upper_arm": "{}腕", "forearm": "{}ひじ", "hand": "{}手首", "thigh": "{}足",
        "shin": "{}ひざ", "foot": "{}足首"}  # fmt: skip

BUILDS: dict[str, Build] = {
    "mixamo": Build(
        tuple(f"mixamorig:{name}" for name in ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head")), 1, _MIXAMO,
        ("Left", "Right"), axes=Y_UP, unit=100.0, thigh=0.42, shin=0.46,
    ),
    "ue4": Build(
        ("pelvis", "spine_01", "spine_02", "spine_03", "neck_01", "head"), 1, _UE, ("l", "r"), root="root",
        arms=50.0, elbow=20.0, unit=100.0, upper_arm=0.31, hips=0.21,
    ),
    "ue5": Build(
        ("pelvis", "spine_01", "spine_02", "spine_03", "spine_04", "spine_05", "neck_01", "neck_02", "head"), 2, _UE,
        ("l", "r"), root="root", arms=45.0, elbow=12.0, shin=0.48,
    ),
    "unity": Build(("Hips", "Spine", "Chest", "UpperChest", "Neck", "Head"), 1, _UNITY, ("Left", "Right"), axes=Y_UP),
    "biped": Build(
        ("Bip01 Pelvis", "Bip01 Spine", "Bip01 Spine1", "Bip01 Neck", "Bip01 Head"), 1, _BIPED, ("L", "R"),
        root="Bip01", arms=40.0, thigh=0.5, shin=0.4,
    ),
    "daz": Build(
        ("hip", "abdomen", "chest", "neck", "head"), 1, _DAZ, ("l", "r"), axes=Y_UP, unit=100.0, thigh=0.37, shin=0.45,
        at_hips=True,
    ),
    "cmu": Build(
        ("Hips", "LowerBack", "Spine", "Spine1", "Neck", "Head"), 1, _CMU, ("Left", "Right"), axes=Y_UP, unit=17.7,
        arms=85.0, at_hips=True,
    ),
    "joints": Build(
        ("Hips", "Chest", "Neck", "Head"), 1, _JOINTS, ("Left", "Right"), axes=Y_UP, unit=39.37, arms=90.0, at_hips=True
    ),
    "no neck, no clavicles": Build(("pelvis", "chest", "head"), 0, _DOTTED, ("L", "R"), upper_arm=0.35, hips=0.3),
    "mmd": Build(("センター", "上半身", "首", "頭"), 1, _MMD, ("左", "右"), arms=35.0, unit=12.5),
    "nameless": Build(
        tuple(f"Bone.{number:03d}" for number in range(6)), 1,
        {role: f"Bone.{1 + row}{{}}" for row, role in enumerate(_CMU)}, ("01", "02"), arms=60.0,
    ),
}  # fmt: skip


def make_rig(make: str) -> MadeRig:
    """A rig of a make of `BUILDS`."""
    build = BUILDS[make]
    hip_height = build.thigh + build.shin + build.ankle
    trunk, neck = 0.52, 0.1
    spines = len(build.middle) - 2 - build.necks
    truth = {"pelvis": build.middle[0], "head": build.middle[-1]}
    truth |= {f"spine{row + 1}": name for row, name in enumerate(build.middle[1 : 1 + spines])}
    truth |= {f"neck{row + 1}": name for row, name in enumerate(build.middle[1 + spines : -1])}
    heads: dict[str, tuple[str, NDArray[np.float64]]] = {}
    if build.root:
        heads[build.root], truth["root"] = ("", np.zeros(3)), build.root
    parent = build.root
    for row, name in enumerate(build.middle):
        share = row / (spines + 1)
        height = (
            0.02 + trunk * share if row <= spines else 0.02 + trunk + neck * (row - spines - 1) / max(1, build.necks)
        )
        heads[name] = parent, np.array([0.0, 0.03 * np.sin(3 * share), hip_height + height])
        parent = name
    chest = build.middle[spines]
    tails: dict[str, NDArray[np.float64]] = {build.middle[-1]: heads[build.middle[-1]][1] + np.array([0, -0.02, 0.2])}
    for side, sign in SIDES:
        mark = build.sides[side == "right"]
        named = {role: name.format(mark) for role, name in build.limbs.items()}
        truth |= {f"{side}_{role}": name for role, name in named.items()}
        above = chest
        for role, place in _arm(build, hip_height + trunk, sign):
            if role in named:
                heads[named[role]], above = (above, place), named[role]
            elif role == "end":
                tails[above] = place
        above = build.middle[0]
        for role, place in _leg(build, hip_height, sign):
            if role in named:
                heads[named[role]], above = (above, place), named[role]
            elif role == "end":
                tails[above] = place
    shift = np.array([0.0, 0.0, hip_height + 0.02 if build.at_hips else 0.0])
    bones = []
    for name, (parent, head) in heads.items():
        first = next((other for other, (above, _) in heads.items() if above == name), "")
        tail = tails.get(name, heads[first][1] if first else head + _STUB)
        if np.linalg.norm(tail - head) < 1e-3:
            tail = head + _STUB
        own = [build.unit * build.axes @ (point - shift) for point in (head, tail)]
        bones.append((name, parent, *own))
    return MadeRig(bones, truth)


def _arm(build: Build, top: float, sign: float) -> list[tuple[str, NDArray[np.float64]]]:
    shoulder = np.array([sign * build.shoulders / 2, 0.0, top - 0.05])
    hang = np.radians(build.arms)
    along = np.array([sign * np.cos(hang), 0.0, -np.sin(hang)])
    bent = turned(np.array([0, 0, -sign]), np.array([np.radians(build.elbow)]))[0] @ along
    elbow = shoulder + build.upper_arm * along
    wrist = elbow + build.forearm * bent
    return [
        ("clavicle", np.array([sign * 0.03, -0.02, top - 0.04])), ("upper_arm", shoulder), ("forearm", elbow),
        ("hand", wrist), ("end", wrist + 0.09 * bent),
    ]  # fmt: skip


def _leg(build: Build, height: float, sign: float) -> list[tuple[str, NDArray[np.float64]]]:
    x = sign * build.hips / 2
    ankle = np.array([x, 0.01, build.ankle])
    ball = np.array([x * 1.1, -0.13, 0.015])
    leg = [
        ("thigh", np.array([x, 0, height])),
        ("shin", np.array([x, -0.01, build.ankle + build.shin])),
        ("foot", ankle),
    ]
    if "toe" not in build.limbs:
        return [*leg, ("end", ball)]
    return [*leg, ("toe", ball), ("end", ball + np.array([0, -0.07, 0]))]


def write_bvh(path: Path, rig: MadeRig) -> Path:
    """The rig's rest as a BVH of two frames without any rotation; the format has no spaces in names."""
    rig = MadeRig([(*(name.replace(" ", "_") for name in row[:2]), *row[2:]) for row in rig.bones], rig.truth)
    children: dict[str, list[str]] = {}
    for name, parent, _, _ in rig.bones:
        children.setdefault(parent, []).append(name)
    (root,) = children[""]
    columns = []

    def lines(name: str, depth: int, above: NDArray[np.float64]) -> list[str]:
        tab = "  " * depth
        head, tail = next((head, tail) for bone, _, head, tail in rig.bones if bone == name)
        channels = "6 Xposition Yposition Zposition" if name == root else "3"
        columns.extend([*(head if name == root else ()), 0.0, 0.0, 0.0])
        offset = np.zeros(3) if name == root else head - above
        out = [f"{tab}{'ROOT' if name == root else 'JOINT'} {name}", f"{tab}{{"]
        out += [
            f"{tab}  OFFSET {' '.join(f'{x:.6f}' for x in offset)}",
            f"{tab}  CHANNELS {channels} Zrotation Xrotation Yrotation",
        ]
        for child in children.get(name, ()):
            out += lines(child, depth + 1, head)
        if name not in children:
            end = " ".join(f"{x:.6f}" for x in tail - head)
            out += [f"{tab}  End Site", f"{tab}  {{", f"{tab}    OFFSET {end}", f"{tab}  }}"]
        return [*out, f"{tab}}}"]

    body = lines(root, 0, np.zeros(3))
    row = " ".join(f"{value:.6f}" for value in columns)
    text = ["HIERARCHY", *body, "MOTION", "Frames: 2", "Frame Time: 0.033333", row, row]
    path.write_text("\n".join(text) + "\n", "utf-8")
    return path
