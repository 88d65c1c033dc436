"""A backend without networks: the real server, whose `reconstruct` does what the clip's name says.

`good` finds the take that the test has put where it was asked for, or writes one where it is asked to replace it;
`picture` does the same, and looks at the clip first, as the real one does; `slow` goes on until it is cancelled; `deaf`
hears no cancel; `dies` ends the process; a kind's name fails with that kind. The argument `foreign` makes it speak
another protocol.

`preview` drags as the real one does; for a mesh, vertex i stands on the target pose's joint i % 24. With the argument
`fragile` a drag ends the process, with `stumbling` the first drag of a take does.

`recalibrate` and `effects` are `mini_backend`'s; a take that is called `dies` ends the process.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from inference_backend import protocol
from inference_backend.disk import writing
from inference_backend.errors import KINDS
from inference_backend.folder_lock import FolderLock
from inference_backend.jobs import METHODS, Context
from inference_backend.progress import Meter, Progress
from inference_backend.server import serve
from inference_backend.take_folder import LOCK_NAME


def reconstruct(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """See the module's text."""
    act = Path(params["clip"]).stem
    if act in KINDS:
        raise KINDS[act](f"the stub says {act}", hint=f"This is the hint of {act}.")
    if act == "dies":
        print("the stub's last words", file=sys.stderr, flush=True)
        os._exit(9)
    if act == "deaf":
        context.report(Progress("estimate", 1, 100))
        time.sleep(600)
    if act == "picture":
        from inference_backend.video import probe

        probe(params["clip"])
    if act in ("good", "picture"):
        with writing(Path(params["out"])):
            Path(params["out"]).mkdir(parents=True, exist_ok=True)
        FolderLock(Path(params["out"]) / LOCK_NAME).release()  # where the real one sees that it may write
        if params.get("overwrite"):
            from tests.blender.takes import make_take

            shutil.rmtree(params["out"])
            make_take(Path(params["out"]), frames=5, clip=Path(params["clip"]))
    meter = Meter(context.report, context.cancelled)
    for done in range(10_000_000 if act == "slow" else 5):
        meter.stage("estimate", min(done, 4), 5)
        time.sleep(0.01)
    return {"take": params["out"]}


def preview(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """See the module's text."""
    import numpy as np

    from inference_backend.disk import write_at
    from inference_backend.take import open_take
    from inference_backend.targets import quaternions
    from inference_backend.targets.edits import Drag, Edits, apply_edits, drag
    from inference_backend.targets.motion import SkeletonMotion

    drags = params.get("drags", ())
    stumbled = Path(params["take"]).with_suffix(".stumbled")
    stumbles = "stumbling" in sys.argv and not stumbled.exists()
    if drags and ("fragile" in sys.argv or stumbles):
        stumbled.touch()
        print("the stub breaks", file=sys.stderr, flush=True)
        os._exit(9)
    take, row = open_take(Path(params["take"])), params["row"]
    person = take.person(params["person"])
    turns = quaternions.to_vector(np.asarray(person.array("rotations_base")[row : row + 1], float))
    root = person.array("joints_base")[row : row + 1, 0]
    base = SkeletonMotion.from_camera(root, turns, person.array("rest_joints"), person.array("world"))
    none = Edits.none(1)
    given = {name: np.asarray([value], float) for name, value in params.get("edits", {}).items()}
    edits = replace(none, **given)
    for wish in drags:
        edits = drag(base, edits, Drag(**{**wish, "pins": tuple(wish.get("pins", ()))}))
    joints = apply_edits(base, edits).joints[0]
    mesh = np.resize(joints, (take.info.body.vertices, 3)).astype(np.float32)
    write_at(Path(params["out"]), params["half"] * mesh.nbytes, mesh.tobytes(), flush=False)
    made = {one.name: getattr(edits, one.name)[0].tolist() for one in fields(edits)}
    return {"edits": made, "joints": joints.tolist()}


def recalibrate(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """See the module's text."""
    from tests.blender.mini_backend import recalibrate as run

    if Path(params["take"]).stem == "dies":
        os._exit(9)
    return run(params, context)


def effects(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """See the module's text."""
    from tests.blender.mini_backend import effects as run

    return run(params, context)


if __name__ == "__main__":
    if "foreign" in sys.argv:
        protocol.PROTOCOL_VERSION += 1  # type: ignore[misc]
    serve({**METHODS, "reconstruct": reconstruct, "preview": preview, "recalibrate": recalibrate, "effects": effects})
