"""How well motion goes onto the skeletons of a folder of BVH files, of any make: a table in Markdown.

    .venv/bin/python tools/evaluate_retarget.py FOLDER                  each file's own motion, there and back
    .venv/bin/python tools/evaluate_retarget.py FOLDER --take TAKE      a take's motion on each file's skeleton
    .venv/bin/python tools/evaluate_retarget.py FOLDER --every 10       every tenth file

Bones are guessed. A file's own motion first goes onto this project's skeleton, limbs turned as the file's from a rest
made alike; that is the source. "Limbs" is how far arms, legs, trunk and neck of the result point elsewhere than the
source's, in lengths of the limb, without the foot lock: mean, and the worst frame of all files. Feet, with the lock:
how fast they slide while they stand, in the source, without and with the lock. It needs no Blender.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def _load_root() -> None:
    """The checkout as the package `pchmr`, as Blender loads it: the add-on's modules import the backend relatively."""
    spec = importlib.util.spec_from_file_location("pchmr", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pchmr"] = module
    spec.loader.exec_module(module)


if "pchmr" not in sys.modules:
    _load_root()

from pchmr.inference_backend.errors import BackendError  # noqa: E402
from pchmr.inference_backend.skeletons import JOINTS, PARENTS  # noqa: E402
from pchmr.inference_backend.training.bvh import Bvh, read_bvh  # noqa: E402
from pchmr.pchmr_blender.core.axes import quaternions_to_matrices, y_up_to_blender  # noqa: E402
from pchmr.pchmr_blender.core.bone_guess import guess  # noqa: E402
from pchmr.pchmr_blender.core.bone_map import Bone, BoneMap  # noqa: E402
from pchmr.pchmr_blender.core.plain_rig import plain_rig  # noqa: E402
from pchmr.pchmr_blender.core.rest_alignment import align, joint_of  # noqa: E402
from pchmr.pchmr_blender.core.retarget import RetargetSettings, direction_errors, retarget  # noqa: E402
from pchmr.pchmr_blender.core.rig_pose import TargetRig  # noqa: E402
from pchmr.pchmr_blender.core.skeleton import forward_kinematics  # noqa: E402
from pchmr.pchmr_blender.core.source_motion import SourceMotion  # noqa: E402
from pchmr.pchmr_blender.core.takes import open_view  # noqa: E402

Array = NDArray[np.float64]

FPS: Final = 30
BODY: Final = ROOT / "inference_backend" / "assets" / "body.npz"


@dataclass(frozen=True)
class Row:
    """One file's figures."""

    file: Path
    frames: int
    mean: float
    """Of limbs' directions, in their lengths."""
    worst: float
    slides: Array
    """(n, 4) frames, source, free, locked of each foot that stands."""
    unmapped: tuple[str, ...]


def rest_joints() -> Array:
    """(24, 3) of the default body: metres, z up, facing -y."""
    from scipy import sparse

    with np.load(BODY, allow_pickle=False) as body:
        parts = [body[f"J_regressor_{name}"] for name in ("data", "indices", "indptr")]
        regressor = sparse.csr_matrix(tuple(parts), shape=(24, len(body["v_template"])))
        return np.asarray(y_up_to_blender(regressor @ body["v_template"]))


def rig_of(bvh: Bvh, chosen: BoneMap, world: Array) -> TargetRig:
    """A file's skeleton in its zero pose, as a rig."""
    axes = {name: np.eye(3) for name in bvh.names}
    return plain_rig(bones_of(bvh), chosen, axes, world)


def bones_of(bvh: Bvh) -> list[Bone]:
    """The joints as bones: each points at its first child's place."""
    heads = bvh.positions(np.tile(np.eye(3), (1, len(bvh.names), 1, 1)))[0]
    bones = []
    for row, (name, parent) in enumerate(zip(bvh.names, bvh.parents, strict=True)):
        child = next((other for other, above in enumerate(bvh.parents) if above == row), None)
        tail = heads[child] if child is not None else 2 * heads[row] - heads[parent]
        bones.append(Bone(name, bvh.names[parent] if parent >= 0 else "", heads[row], tail))
    return bones


def frame_time(file: Path) -> float:
    """Seconds between a file's frames."""
    packed = file.read_bytes()
    lines = (gzip.decompress(packed) if file.suffix == ".gz" else packed).decode().splitlines()
    return next(float(line.partition(":")[2]) for line in lines if line.strip().startswith("Frame Time:"))


def sampled(frames: int, step: float) -> tuple[NDArray[np.intp], Array]:
    """Rows at about 30 a second, and their seconds: at 120 the noise of a marker is a speed."""
    rows = np.arange(0, frames, max(1, round(1 / (FPS * step))))
    return np.asarray(rows, np.intp), np.asarray(rows * step, np.float64)


def own_motion(bvh: Bvh, rig: TargetRig, rest: Array, rows: NDArray[np.intp], seconds: Array) -> SourceMotion:
    """A file's motion on the default body's skeleton; what the file lacks follows its parent."""
    still = SourceMotion(rest, np.eye(3)[None, None].repeat(24, 1), rest[None], np.zeros(1))
    to_rest = align(rig, still)
    rotations = np.empty((len(rows), 24, 3, 3))
    given = dict(_joints(rig))
    for joint, parent in enumerate(PARENTS):
        bone = given.get(joint)
        if bone is None:
            rotations[:, joint] = rotations[:, parent]
            continue
        world = rig.orientation @ bvh.rotations[rows, bvh.names.index(rig.names[bone])] @ rig.orientation.T
        rotations[:, joint] = world @ (to_rest.limbs[bone] @ to_rest.upright).T
    # Whatever axes the file has: from here on z is up.
    rotations = to_rest.upright @ rotations
    root = (bvh.root[rows] @ rig.orientation.T @ to_rest.upright.T) * _unit(rig, bvh) / to_rest.scale
    joints = forward_kinematics(rest, rotations, root)
    balls = joints[:, [JOINTS.index("left_foot"), JOINTS.index("right_foot")], 2].min(1)
    joints[..., 2] -= np.percentile(balls, 5) - still.ball_height
    return SourceMotion(rest, rotations, joints, seconds)


def _joints(rig: TargetRig) -> list[tuple[int, int]]:
    """Our joint and the rig's bone that turns it; the spine's bones from below, the last one the chest."""
    found = []
    spine = [bone for bone, role in enumerate(rig.roles) if role.startswith("spine")]
    for bone, role in enumerate(rig.roles):
        if role in ("root", "neck2", "neck3") or bone in spine:
            continue
        found.append((JOINTS.index("neck") if role == "neck1" else joint_of(role), bone))
    for joint, share in (("spine1", 0.0), ("spine2", 0.5), ("spine3", 1.0)):
        if spine:
            found.append((JOINTS.index(joint), spine[round(share * (len(spine) - 1))]))
    return found


def _unit(rig: TargetRig, bvh: Bvh) -> float:
    """World's metres in the file's unit."""
    own = np.linalg.norm(bvh.offsets[bvh.names.index(rig.names[rig.at("left_shin")])])
    return float(np.linalg.norm(rig.heads[rig.at("left_shin")] - rig.heads[rig.at("left_thigh")]) / own)


def judge(file: Path, take: SourceMotion | None, rest: Array) -> Row:
    """Retarget onto one file's skeleton. Raises BackendError where that is refused."""
    bvh = read_bvh(file)
    chosen = guess(bones_of(bvh))
    rig = rig_of(bvh, chosen, np.eye(4))
    # Which way is up is the file's affair; a take is judged in a world where the rig stands.
    upright = align(rig, SourceMotion(rest, np.eye(3)[None, None], rest[None], np.zeros(1))).upright
    leg = np.linalg.norm(rest[JOINTS.index("left_knee")] - rest[JOINTS.index("left_hip")])
    own = np.linalg.norm(rig.heads[rig.at("left_shin")] - rig.heads[rig.at("left_thigh")])
    world = np.eye(4)
    world[:3, :3] = leg / own * upright
    rig = rig_of(bvh, chosen, world)
    source = take or own_motion(bvh, rig, rest, *sampled(len(bvh.rotations), frame_time(file)))
    free, locked = (retarget(source, rig, RetargetSettings(foot_lock=lock)) for lock in (False, True))
    errors = np.stack(list(direction_errors(source, rig, shown(bvh, rig, free, world)).values()))
    slides = np.array([(s.frames, s.source, s.free, s.rig) for s in locked.slides if s.frames]).reshape(-1, 4)
    return Row(file, len(source.joints), float(errors.mean()), float(errors.max()), slides, chosen.missing())


def shown(bvh: Bvh, rig: TargetRig, result: Any, world: Array) -> Array:
    """(F, B, 3) heads of the rig's bones as the file's own hierarchy poses them: the file knows no carriers."""
    own = quaternions_to_matrices(result.quaternions)
    turns = np.tile(np.eye(3), (len(own), len(bvh.names), 1, 1))
    for joint, (name, parent) in enumerate(zip(bvh.names, bvh.parents, strict=True)):
        local = own[:, rig.names.index(name)] if name in rig.names else np.eye(3)
        turns[:, joint] = (turns[:, parent] if parent >= 0 else np.eye(3)) @ local
    places = bvh.positions(turns)
    return np.asarray(places[:, [bvh.names.index(name) for name in rig.names]] @ world[:3, :3].T)


def table(rows: list[Row]) -> str:
    """Markdown, a row for each folder."""
    lines = [
        "| folder | files | frames | limbs mean | limbs worst | foot slide mm/s: source | free | locked | unmapped |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for folder in dict.fromkeys(row.file.parent for row in rows):
        own = [row for row in rows if row.file.parent == folder]
        slides = np.concatenate([row.slides for row in own])
        means = np.average(slides[:, 1:], axis=0, weights=slides[:, 0]) if len(slides) else np.zeros(3)
        unmapped = sorted({role for row in own for role in row.unmapped})
        cells = [
            folder.name, len(own), sum(row.frames for row in own),
            f"{100 * np.average([row.mean for row in own], weights=[row.frames for row in own]):.4f}%",
            f"{100 * max(row.worst for row in own):.4f}%", *(f"{value:.1f}" for value in means),
            ", ".join(unmapped) or "–",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> int:
    """Judge a folder; 1 where nothing could be, or something was refused."""
    parser = argparse.ArgumentParser(description="Retarget onto the skeletons of BVH files, and measure.")
    parser.add_argument("folder", type=Path, help="with .bvh or .bvh.gz files, in sub-folders too")
    parser.add_argument(
        "--take", type=Path, help="a take whose first person moves them; default: each file's own motion"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th file of a sub-folder")
    options = parser.parse_args()
    files = sorted(file for pattern in ("*.bvh", "*.bvh.gz") for file in options.folder.rglob(pattern))
    files = [
        file
        for folder in dict.fromkeys(f.parent for f in files)
        for file in [f for f in files if f.parent == folder][:: options.every]
    ]
    take, rest = None, rest_joints()
    if options.take is not None:
        person = open_view(options.take).people[0]
        rest = np.asarray(person.rest_joints, np.float64)
        take = SourceMotion(rest, person.rotations, np.asarray(person.joints, np.float64), person.seconds)
    rows, refused = [], []
    for file in files:
        try:
            rows.append(judge(file, take, rest))
        except BackendError as error:
            refused.append(f"{file}: {error}")
    if rows:
        print(table(rows))
    print("\n".join(refused) if refused else f"{len(rows)} files, none refused" if rows else "no BVH files there")
    return int(bool(refused) or not rows)


if __name__ == "__main__":
    sys.exit(main())
