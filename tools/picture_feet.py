"""One picture of what foot contact does: all frames of a second laid over each other, before and after.

    .venv/bin/python tools/picture_feet.py BEFORE.take AFTER.take --start 2.0 --out feet.jpg

Both takes are of one clip, the second after `calibrate`. What stands still is sharp, what slides is blurred. Seen from
the camera's right, a little from above, close to the feet.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from inference_backend.raster import triangulate  # noqa: E402
from inference_backend.render_views import (  # noqa: E402
    PALETTE,
    Figure,
    Image,
    WorldCamera,
    draw_in_world,
    frame_world,
    moved,
    write_text,
)
from inference_backend.skeletons import JOINTS  # noqa: E402
from inference_backend.take import Person, open_take  # noqa: E402

SIZE = 560, 420
WIDTH = 1.1
"""Metres that a picture shows."""
FEET = [JOINTS.index(f"{side}_{part}") for side in ("left", "right") for part in ("ankle", "foot")]


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--person", type=int, default=0)
    parser.add_argument("--start", type=float, default=0.0, help="seconds of the clip")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    people = [open_take(take).person(options.person) for take in (options.before, options.after)]
    seconds = np.array(people[0].array("seconds"))
    rows = np.flatnonzero((seconds >= options.start) & (seconds < options.start + options.seconds))
    if not len(rows):
        parser.error(f"the take has no frame between {options.start} and {options.start + options.seconds} seconds")
    camera = close_to_feet(people[1], rows)
    pictures = [laid_over(person, rows, camera) for person in people]
    for picture, title in zip(pictures, ("without clean-up", "with the default clean-up"), strict=True):
        write_text(picture, title)
    cv2.imwrite(str(options.out), np.hstack(pictures)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    return 0


def close_to_feet(person: Person, rows: np.ndarray) -> WorldCamera:
    """A camera from the side that looks at the feet of some frames."""
    world = np.array(person.array("world"), np.float64)
    joints = moved(world, np.array(person.array("joints")))
    wide = frame_world(joints, world[:3, :3], "side", SIZE, 30.0)
    middle = np.median(joints[rows][:, FEET].reshape(-1, 3), axis=0) + np.array([0, 0, 0.2])
    return WorldCamera(wide.axes, np.tile(middle, (len(joints), 1)), SIZE[0] / WIDTH, SIZE)


def laid_over(person: Person, rows: np.ndarray, camera: WorldCamera) -> Image:
    """The mean of the frames' pictures."""
    triangles = triangulate(np.array(person.array("faces")))
    world = np.array(person.array("world"), np.float64)
    total = np.zeros((SIZE[1], SIZE[0], 3))
    for row in rows:
        figure = Figure(
            np.array(person.array("vertices")[row]), np.array(person.array("joints_target")[row]),
            np.zeros(len(JOINTS), bool), PALETTE[0],
        )  # fmt: skip
        total += draw_in_world([figure], triangles, world, camera, int(row))
    return np.asarray(total / len(rows), np.uint8)


if __name__ == "__main__":
    sys.exit(main())
