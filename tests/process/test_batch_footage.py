"""Footage as phones make it, in a batch: the stand-in behind the camera shows at each moment what the clip shows."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference_backend.video import VideoSource, probe, read

from ..backend.phone_clips import CLOCKWISE, make, turn
from ..blender.takes import make_take
from .farm import LIMIT, POSIX, SERIES, Farm, farm, needs_blender, python_of

__all__ = ["farm"]

pytestmark = [needs_blender, POSIX]

TIMES = [0, 33, 67, 100, 133, 300, 333, 367, 400, 700, 733, 767]
"""Milliseconds: a phone that means 30 frames a second and drops some."""
SIZE = (320, 240)

SHOWN = """
import json, sys, bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
scene = bpy.context.scene
background = scene.camera.data.background_images[0]
seen = []
for frame in range(scene.frame_start, scene.frame_end + 1):
    scene.frame_set(frame)
    camera = scene.camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
    user = camera.data.background_images[0].image_user
    seen.append(min(max(frame - user.frame_start + 1, 0), user.frame_duration) + user.frame_offset)
print(json.dumps({
    "file": bpy.path.abspath(background.image.filepath), "size": list(background.image.size), "shown": seen,
    "rate": scene.render.fps / scene.render.fps_base,
}), flush=True)
"""


def opened(farm: Farm, name: str) -> dict[str, Any]:
    """What another Blender shows behind the camera of a .blend: the file, and which of its pictures in each frame."""
    command = [str(python_of(farm.series)), "-c", SHOWN, str(farm.out / f"{name}.blend")]
    told = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=LIMIT, check=False)
    values: dict[str, Any] = json.loads(next(line for line in told.stdout.splitlines() if line.startswith("{")))
    return values


def greys(path: Path) -> list[float]:
    """Of the lower right corner of each picture, where no body stands."""
    return [float(frame.image[-12:, -12:].mean()) for frame in read(VideoSource(path))]


def nearest(times: list[int], rate: float, count: int) -> list[int]:
    """Which of the clip's pictures belongs to each frame."""
    return [int(np.abs(np.array(times) / 1000 - k / rate).argmin()) for k in range(count)]


@pytest.mark.parametrize("series", SERIES)
def test_a_turned_clip_of_a_varying_rate(farm: Farm, series: str) -> None:
    farm = replace(farm, series=series)
    clip = farm.folder / "clips" / "good.mp4"
    clip.parent.mkdir()
    turn(make(clip, times=TIMES, size=SIZE), CLOCKWISE)
    assert (probe(clip).rotation, probe(clip).variable) == (90, True)
    seconds = [time / 1000 for time in TIMES]
    take = {"frames": len(TIMES), "seconds": seconds, "fps": probe(clip).fps, "rotation": 90}
    make_take(farm.out / "good.take", width=SIZE[1], height=SIZE[0], clip=clip, **take)
    code, told = farm.run(clip, "--preview")
    assert code == 0, told

    found = opened(farm, "good")
    assert Path(found["file"]).name.startswith("good.take.footage-")
    assert (found["size"], found["rate"]) == ([SIZE[1], SIZE[0]], 30)
    # Picture for picture: what Blender shows in a scene frame is what the clip shows at that time.
    clip_greys, stand_in = greys(clip), greys(Path(found["file"]))
    wanted = [clip_greys[index] for index in nearest(TIMES, 30, len(found["shown"]))]
    np.testing.assert_allclose([stand_in[number - 1] for number in found["shown"]], wanted, atol=2)
    # And so does the preview, which Blender has rendered.
    preview = greys(farm.out / "good.preview.mp4")
    assert len(preview) - len(wanted) in (0, 1)  # the last key may lie a trace behind a scene frame
    np.testing.assert_allclose(preview[: len(wanted)], wanted, atol=4)


def test_a_mirrored_clip_of_which_the_take_says_nothing(farm: Farm) -> None:
    clip = farm.folder / "clips" / "good.mp4"
    clip.parent.mkdir()
    turn(make(clip, size=SIZE), (-1, 0, 0, 1))
    make_take(farm.out / "good.take", frames=12, width=SIZE[0], height=SIZE[1], clip=clip)
    assert farm.run(clip)[0] == 0
    stand_in = Path(opened(farm, "good")["file"])
    assert stand_in.name.startswith("good.take.footage-")
    first = next(read(VideoSource(stand_in))).image
    assert first[:120, 160:, 0].mean() > 200  # the red quarter is on the right
    assert first[:120, :160, 0].mean() < 50


def test_a_part_whose_rate_is_even_of_a_clip_whose_rate_is_not(farm: Farm) -> None:
    clip = farm.folder / "clips" / "good.mp4"
    clip.parent.mkdir()
    times = [*range(0, 320, 40), 700, 740, 780, 820]
    make(clip, times=times, size=SIZE)
    part = {"first_frame": 8, "frames": 4, "seconds": [time / 1000 for time in times[8:]]}
    make_take(farm.out / "good.take", width=SIZE[0], height=SIZE[1], clip=clip, fps=25, **part)
    assert farm.run(clip)[0] == 0
    found = opened(farm, "good")
    stand_in, clip_greys = greys(Path(found["file"])), greys(clip)
    assert Path(found["file"]) != clip
    shown = [stand_in[number - 1] for number in found["shown"]]
    np.testing.assert_allclose(shown[-4:], clip_greys[8:], atol=2)


def test_two_takes_of_one_clip(farm: Farm) -> None:
    clip = farm.folder / "clips" / "good.mp4"
    clip.parent.mkdir()
    turn(make(clip, size=SIZE), CLOCKWISE)
    found = []
    for name in ("one", "two"):
        own = Farm(farm.folder / name, farm.interpreter)
        how = {"frames": 12, "width": SIZE[1], "height": SIZE[0], "rotation": 90}
        make_take(own.out / "good.take", clip=clip, **how)
        assert own.run(clip)[0] == 0
        found.append(Path(opened(own, "good")["file"]))
        assert found[-1].parent.samefile(own.out)
    assert list(clip.parent.iterdir()) == [clip]
    assert found[0].name == found[1].name
