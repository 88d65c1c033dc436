"""How long the body takes to follow a mouse that drags a joint, in a real window: `make bench`.

    .venv/bin/python tests/blender/bench_live.py [SUITE]

Measured is each update of Blender's transform: from entering the handlers, over the backend's answer, to the evaluated
Preview (total), which has the answer to it or, where that comes late, the answer to the one before; to the moment that
it has this answer or a newer one (followed); and to its drawing, which is done by software here, on the cores that the
backend works on. Prints the parts of it, and in how many updates the body was where the mouse was; fails where one of
these is worse than it may be. Says why where there is no Blender root.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import blender_env  # noqa: E402
import blender_root  # noqa: E402
import build_extension  # noqa: E402
from blender_window import OUT  # noqa: E402

from tests.blender.bodies import shipped  # noqa: E402
from tests.blender.takes import make_take  # noqa: E402
from tests.window.conftest import HERE, alone, install, log  # noqa: E402

MEDIAN, MOST = 0.016, 0.040
"""Seconds that an update may take, the median and 95 of 100."""
FRESH = 0.95
"""Share of updates that have the answer to what they asked."""
PARTS = {
    "read": "what the controls hold",
    "ask": "the question written and sent",
    "waited": "until its answer was there",
    "write": "the mesh put into the Preview",
    "followers": "the controls that come along",
    "handler": "all of these",
    "evaluated": "from there to the evaluated Preview",
    "total": "handler and evaluation",
    "followed": "until the body is where the mouse was",
    "drawn": "until it is drawn, by software",
}
FRAMES = 60


def main() -> int:
    suite = sys.argv[1] if len(sys.argv) > 1 else "sid"
    try:
        root = blender_root.make(suite)
    except blender_root.NoRootError as error:
        print(f"the live edit is not measured: {error}")
        return 0
    pythons = [made.python for made in map(blender_env.make, blender_env.locks().values()) if not made.problem]
    if not pythons:
        print("the live edit is not measured: there is no bpy to build the extension with")
        return 0
    with alone():
        archive = build_extension.build(build_extension.builder_of_wheel(pythons[-1]), OUT)
        window = install(root, archive, f"bench_live_{suite}")
        make_take(window.out / "work" / "walk.take", body=shipped(), frames=FRAMES)
        status = window.run(HERE / "inside_bench_live.py", limit=300)
    said = log(window, "inside_bench_live")
    if status:
        print(said)
        return status
    return report(said)


def report(said: str) -> int:
    """Print a table; 1 where a target is missed."""
    lines = {line.split()[1]: line.split(maxsplit=2)[2] for line in said.splitlines() if line.startswith("TEST ")}
    updates = json.loads(lines["updates"])
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    print(f"{int(lines['vertices']):,} vertices, {len(updates)} updates, {os.cpu_count()} cores, load {load}")
    print(f"{'part':<12} {'median':>8} {'95%':>8}  ms")
    for part, what in PARTS.items():
        times = 1e3 * np.array([update.get(part, 0.0) for update in updates])
        print(f"{part:<12} {np.median(times):8.1f} {np.quantile(times, 0.95):8.1f}  {what}")
    fresh = np.mean([update["fresh"] for update in updates])
    total = np.array([update["total"] for update in updates])
    missed = np.median(total) > MEDIAN or np.quantile(total, 0.95) > MOST or fresh < FRESH
    print(f"the body where the mouse is, in the same update: {fresh:.0%}")
    wanted = f"{MEDIAN * 1e3:.0f} ms, 95 of 100 {MOST * 1e3:.0f} ms, the body there in {FRESH:.0%}"
    print(f"total may take {wanted}{': MISSED' if missed else ''}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
