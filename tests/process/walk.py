"""Run by a Python with the bpy wheel: a random walk of edits, undos, redos, saves, loads and recalibrations.

    python walk.py FOLDER INTERPRETER SEED STEPS [BREAK]

FOLDER holds `walk.take` and a copy of it, `pristine.take`; INTERPRETER runs the backend, and the judge. After each step
that lets the mesh follow the .blend, everything that is shown, in every frame, is compared with a take that the judge
makes anew from what the .blend's bones hold. A line a step is printed, so that a walk that fails can be walked again.

BREAK is the name of something that is left out on purpose, to see that the walk notices: see `broken`.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np

if "pchmr" not in sys.modules:  # in a window it is the installed extension
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import conftest  # noqa: F401  (loads the checkout as the package pchmr)

import pchmr
from pchmr.inference_backend.skeletons import JOINTS
from pchmr.inference_backend.targets.presets import cleanup_names, load_cleanup
from pchmr.pchmr_blender import session, sync
from pchmr.pchmr_blender.core.edit_rows import EditAxes, EditRows
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.core.skeleton import BONE_NAMES
from pchmr.pchmr_blender.core.takes import PersonView, open_view
from pchmr.pchmr_blender.recalibration import start_recalibration
from pchmr.pchmr_blender.scene import edit_state, edits, shown_rows
from pchmr.pchmr_blender.scene.actions import curves_of
from pchmr.pchmr_blender.scene.body_forms import form_of
from pchmr.pchmr_blender.scene.edit_state import commit, committed, layers_of, set_layers, uncommit
from pchmr.pchmr_blender.scene.handles import find_part, part_of, people_in, placing_of
from pchmr.pchmr_blender.scene.import_take import ImportOptions, import_take
from pchmr.pchmr_blender.scene.take_paths import open_person
from pchmr.pchmr_blender.scene.targets import base_name

TOLERANCE_MM = 0.5
"""Of the compressed form."""
EXACT = 2e-4
"""Metres that two ways of reckoning the same may differ by: the take is float32, and Blender's curves are."""
FK = 1.2e-3
"""Metres that the skeleton's joints may stand off: what it promises, and the same again of rounding."""
TURNED = 2e-3
"""The same for the entries of rotation matrices."""


REST = {"location": (0, 0, 0), "rotation_quaternion": (1, 0, 0, 0), "pchmr.stretch": (0,), "pchmr.strength": (1,)}
"""What a control holds without an edit."""


class Walk:
    """The file that is open, and what has been done to it."""

    def __init__(self, folder: Path, interpreter: str, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        command = [interpreter, str(Path(__file__).with_name("judge.py"))]
        command += [str(folder / "pristine.take"), str(folder / "judged.take")]
        where = {**os.environ, "PYTHONPATH": str(Path(pchmr.__file__).resolve().parent)}
        self.judge = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=where)
        self.saved: list[Path] = []
        self.undone = self.done = 0
        self.compared = 0

    # What there is

    @property
    def person(self) -> bpy.types.Collection:
        return people_in(bpy.context.scene)[0]

    @property
    def frames(self) -> np.ndarray:
        """Scene frame of each row."""
        return edits.row_frames(self.person)

    def some_rows(self) -> np.ndarray:
        count = len(self.frames)
        first = self.random.randrange(count)
        return np.arange(first, min(count, first + self.random.randint(1, 3)))

    def some_joint(self) -> int:
        return self.random.choice([JOINTS.index(name) for name in ("left_wrist", "right_elbow", "head", "left_ankle")])

    def push(self, message: str) -> None:
        bpy.ops.ed.undo_push(message=message)
        self.done, self.undone = self.done + 1, 0

    # Steps: each returns whether the mesh is to agree with the .blend now

    def set_keys(self) -> bool:
        rows, joint = self.some_rows(), self.some_joint()
        values = edits.sample(self.person, rows)
        values.offset[:, joint] = [self.random.uniform(-0.08, 0.08) for _ in range(3)]
        if self.random.random() < 0.4:
            turn = np.array([1.0, *(self.random.uniform(-0.3, 0.3) for _ in range(3))])
            values.turn[:, joint] = turn / np.linalg.norm(turn)
        if self.random.random() < 0.3:
            values.stretch[:, joint] = self.random.random()
        edits.key_rows(self.person, rows, values, [joint])
        self.push("Set Keys")
        return False

    def set_strength(self) -> bool:
        rows, joint = self.some_rows(), self.some_joint()
        values = edits.sample(self.person, rows)
        values.strength[:, joint] = self.random.choice([0.0, 0.5, 1.0])
        edits.key_rows(self.person, rows, values, [joint])
        self.push("Set Strength")
        return False

    def move_keys(self) -> bool:
        """By hand, as in the graph editor: one curve alone."""
        curves = self._keyed()
        if not curves:
            return False
        curve = self.random.choice(curves)
        point = self.random.choice(list(curve.keyframe_points))
        by = self.random.choice([(1.0, 0.0), (-2.0, 0.0), (0.0, 0.03), (0.5, -0.02)])
        point.co.x, point.co.y = point.co.x + by[0], point.co.y + by[1]
        curve.update()
        self.push("Move Keys")
        return False

    def delete_keys(self) -> bool:
        first = self.random.uniform(self.frames[0], self.frames[-1])
        joints = None if self.random.random() < 0.3 else [self.some_joint()]
        edits.clear(self.person, first, first + self.random.uniform(0, 4), joints)
        self.push("Delete Keys")
        return False

    def delete_a_key(self) -> bool:
        curves = self._keyed()
        if not curves:
            return False
        curve = self.random.choice(curves)
        curve.keyframe_points.remove(self.random.choice(list(curve.keyframe_points)))
        self.push("Delete a Key")
        return False

    def drag_without_keys(self) -> bool:
        """What no key says is no edit: a change of frame takes it away."""
        bone = part_of(self.person, "TARGETS").pose.bones[BONE_NAMES[self.some_joint()]]
        bone.location.x += 0.1
        self.push("Drag")
        return False

    def change_layers(self) -> bool:
        set_layers(self.person, load_cleanup(self.random.choice(cleanup_names())).values())
        self.push("Clean-Up")
        return False

    def change_form(self) -> bool:
        form = self.random.choice(list(Form))
        sync.agree()
        bpy.ops.pchmr.set_form(form=form.value, tolerance_mm=TOLERANCE_MM)
        finish()
        self.push("Change Body Form")
        return True

    def go_to_a_frame(self) -> bool:
        bpy.context.scene.frame_set(self.random.randint(0, 12))
        return False

    def recalibrate(self) -> bool:
        rows = np.arange(len(self.frames)) if self.random.random() < 0.3 else self.some_rows()
        commit(self.person, rows)
        self.push("Recalibrate")
        start_recalibration(self.person, "Recalibrating")
        finish()
        return True

    def revert(self) -> bool:
        rows = self.some_rows()
        edits.clear(self.person, self.frames[rows[0]], self.frames[rows[-1]], None)
        uncommit(self.person, rows)
        self.push("Revert")
        start_recalibration(self.person, "Reverting")
        finish()
        return True

    def undo(self) -> bool:
        for _ in range(self.random.randint(1, 3)):
            if self.done > 0:
                bpy.ops.ed.undo()
                self.done, self.undone = self.done - 1, self.undone + 1
        sync.agree()
        return True

    def redo(self) -> bool:
        for _ in range(self.random.randint(1, 3)):
            if self.undone > 0:
                bpy.ops.ed.redo()
                self.done, self.undone = self.done + 1, self.undone - 1
        sync.agree()
        return True

    def shake(self) -> bool:
        """Back and forth before anything can follow."""
        for _ in range(self.random.randint(2, 6)):
            back = self.random.random() < 0.5
            if back and self.done > 0:
                bpy.ops.ed.undo()
                self.done, self.undone = self.done - 1, self.undone + 1
            elif not back and self.undone > 0:
                bpy.ops.ed.redo()
                self.done, self.undone = self.done + 1, self.undone - 1
        sync.agree()
        return True

    def save(self) -> bool:
        if not bpy.data.filepath:
            return self.save_as()
        bpy.ops.wm.save_mainfile()
        sync.agree()
        return True

    def save_as(self) -> bool:
        path = self.folder / self.random.choice(["a.blend", "b.blend", "elsewhere/c.blend"])
        path.parent.mkdir(exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(path))
        if path not in self.saved:
            self.saved.append(path)
        sync.agree()
        return True

    def load(self) -> bool:
        """One of the files, maybe an older one: the take then has rows that it did not ask for."""
        if not self.saved:
            return False
        bpy.ops.wm.open_mainfile(filepath=str(self.random.choice(self.saved)))
        self.begin()
        sync.agree()
        return True

    def revert_file(self) -> bool:
        if not bpy.data.filepath:
            return False
        bpy.ops.wm.revert_mainfile()
        self.begin()
        sync.agree()
        return True

    def choose(self) -> Callable[[Walk], bool]:
        """The next step."""
        return self.random.choices(list(STEPS), list(STEPS.values()))[0]

    def begin(self) -> None:
        """A file was opened: there is nothing to undo."""
        if bpy.app.background:  # else Blender does so
            bpy.ops.ed.undo_push(message="Loaded")
        self.done = self.undone = 0

    def _keyed(self) -> list[bpy.types.FCurve]:
        targets = part_of(self.person, "TARGETS")
        paths = tuple(f'pose.bones["{bone}"].' for bone in BONE_NAMES)
        found = [one for one in curves_of(targets) if one.data_path.startswith(paths) and len(one.keyframe_points)]
        return sorted(found, key=lambda one: (one.data_path, one.array_index))

    # The comparison

    def wanted(self) -> EditRows:
        """What the committed rows' controls hold when Blender goes to them; no edit in the others."""
        targets, frames = part_of(self.person, "TARGETS"), placing_of(self.person).frames(self.view().seconds)
        keyed = {(curve.data_path, curve.array_index) for curve in curves_of(targets)}
        held = {name: np.tile(np.array(values, float), (len(frames), 24, 1)) for name, values in REST.items()}
        for row in committed(self.person):
            go_to(frames[row])
            for joint, bone in enumerate(BONE_NAMES):
                for name in REST:
                    now = np.atleast_1d(targets.pose.bones[bone].path_resolve(name))
                    for index, value in enumerate(now):
                        if (f'pose.bones["{bone}"].{name}', index) in keyed:
                            held[name][row, joint, index] = value
        axes = EditAxes(self.view().rest_joints)
        location, turn, stretch, strength = held.values()
        turn[np.linalg.norm(turn, axis=-1) < 1e-6] = 1, 0, 0, 0
        return axes.edits(location, turn, stretch[..., 0], strength[..., 0])

    def view(self) -> PersonView:
        return open_person(self.person)[1]

    def compare(self) -> None:
        wanted = self.wanted()
        arrays = {name: getattr(wanted, name) for name in ("offset", "turn", "stretch", "strength")}
        np.savez(self.folder / "wanted.npz", rows=np.arange(len(wanted)), **arrays)
        assert self.judge.stdin is not None
        assert self.judge.stdout is not None
        request = {"layers": layers_of(self.person), "edits": str(self.folder / "wanted.npz")}
        self.judge.stdin.write(json.dumps(request) + "\n")
        self.judge.stdin.flush()
        if self.judge.stdout.readline() != "made\n":
            raise RuntimeError("the judge has died")
        truth, found = open_view(self.folder / "judged.take").people[0], self.view()
        for name in ("joints_base", "joints_target", "joints"):
            near(f"the take's {name}", getattr(found, name), getattr(truth, name), EXACT)
        for name in ("rotations_base", "rotations"):
            near(f"the take's {name}", getattr(found, name), getattr(truth, name), TURNED)
        count = found.frame_count
        vertices = truth.vertices(0, count)
        near("the take's vertices", found.vertices(0, count), vertices, EXACT)
        body = part_of(self.person, "BODY")
        tolerance = TOLERANCE_MM / 1000 + EXACT if form_of(body) is Form.COMPRESSED else EXACT
        frames = placing_of(self.person).frames(found.seconds)
        for row, frame in enumerate(frames):
            go_to(frame)
            where = f"in row {row}, {form_of(body)}"
            near(f"the mesh {where}", mesh_of(body), vertices[row], tolerance)
            near(f"the skeleton {where}", heads(part_of(self.person, "SKELETON"), BONE_NAMES), truth.joints[row], FK)
            bases = [base_name(bone) for bone in BONE_NAMES]
            near(
                f"the base bones {where}", heads(part_of(self.person, "TARGETS"), bases), truth.joints_base[row], EXACT
            )
        self.compared += 1


STEPS: dict[Callable[[Walk], bool], int] = {
    Walk.set_keys: 14,
    Walk.set_strength: 6,
    Walk.move_keys: 6,
    Walk.delete_keys: 5,
    Walk.delete_a_key: 3,
    Walk.drag_without_keys: 2,
    Walk.change_layers: 5,
    Walk.change_form: 3,
    Walk.go_to_a_frame: 2,
    Walk.recalibrate: 16,
    Walk.revert: 5,
    Walk.undo: 12,
    Walk.redo: 6,
    Walk.shake: 8,
    Walk.save: 3,
    Walk.save_as: 4,
    Walk.load: 5,
    Walk.revert_file: 2,
}
"""What may be done, and how often."""


def near(what: str, found: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    """Raise AssertionError for what is further away."""
    off = np.abs(np.asarray(found) - np.asarray(wanted))
    if not off.max() <= tolerance:
        at = np.unravel_index(int(np.argmax(off)), off.shape)
        raise AssertionError(
            f"{what} is {off.max():.6f} off at {tuple(int(i) for i in at)}, and {tolerance} are allowed"
        )


def finish() -> None:
    """Wait for what was begun: with a window it goes on by itself."""
    if session.current.activity is not None:
        session.current.wait()


def go_to(frame: float) -> None:
    bpy.context.scene.frame_set(int(frame // 1), subframe=frame % 1)


def mesh_of(body: bpy.types.Object) -> np.ndarray:
    """The evaluated body in the world. Shape: (N, 3)."""
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    points = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", points.ravel())
    evaluated.to_mesh_clear()
    matrix = np.array(evaluated.matrix_world)
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def heads(armature: bpy.types.Object, bones: tuple[str, ...] | list[str]) -> np.ndarray:
    """Where evaluated bones begin, in the world. Shape: (n, 3)."""
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ evaluated.pose.bones[bone].head for bone in bones])


def broken(what: str) -> None:
    """Leave something out."""
    if what == "sync":
        sync.agree = lambda: None
    elif what == "refresh":

        def nothing(*_: object, **__: object):
            yield from ()

        sys.modules[start_recalibration.__module__].refresh = nothing  # type: ignore[attr-defined]
    elif what == "notes":
        shown_rows.differing = lambda body, wanted: np.zeros(len(wanted), bool)
        edit_state.differing = shown_rows.differing  # type: ignore[attr-defined]
    elif what:
        raise ValueError(what)


def main(folder: Path, interpreter: str, seed: int, steps: int, what: str = "") -> int:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    entry = bpy.context.preferences.addons.new()
    entry.module = "pchmr"
    pchmr.register()
    bpy.context.preferences.addons["pchmr"].preferences.interpreter = interpreter
    broken(what)
    import_take(folder / "walk.take", ImportOptions(tolerance_mm=TOLERANCE_MM), bpy.context.scene)
    bpy.context.view_layer.objects.active = find_part(people_in(bpy.context.scene)[0], "BODY")
    walk = Walk(folder, interpreter, seed)
    walk.begin()
    failed, number = "", 0
    try:
        for number in range(steps):
            step = walk.choose()
            print(f"{number} {step.__name__}", flush=True)
            if step(walk):
                walk.compare()
    except Exception:
        failed = f"seed {seed}, step {number}: {traceback.format_exc()}"
    walk.judge.kill()
    pchmr.unregister()
    print(failed or f"walked {steps} steps, compared {walk.compared} times", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    given = sys.argv[1:]
    code = main(Path(given[0]), given[1], int(given[2]), int(given[3]), *given[4:])
    sys.stdout.flush()
    os._exit(code)
