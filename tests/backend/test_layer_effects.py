"""What the layers would do, asked over the wire, and the strips that an artist takes over from them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference_backend.edit_jobs import effects, recalibrate
from inference_backend.errors import BadArgument, TakeCorrupt
from inference_backend.job_params import Context
from inference_backend.jobs import METHODS
from inference_backend.targets import floor
from inference_backend.targets.contacts import strips_of
from inference_backend.targets.parameters import SECTIONS, Layers, Strip, read_layers
from inference_backend.targets.stack import apply_layers

from ..blender.bodies import shipped
from ..blender.takes import make_take
from .walkers import walk

F = 9
STRIP = {"side": "left", "part": "heel", "start": 0.05, "end": 0.2, "locked": True}


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return make_take(tmp_path / "dance.take", body=shipped(), frames=F)


def context() -> Context:
    return Context(lambda _: None, lambda: False)


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.rglob("*.npy"))}


def asked(folder: Path, layers: Layers, **params: Any) -> dict[str, Any]:
    return dict(effects({"take": str(folder), "layers": layers.values(), **params}, context()))


def with_strips(layers: Layers, strips: tuple[Strip, ...] | None) -> Layers:
    return dataclasses.replace(layers, foot_contact=dataclasses.replace(layers.foot_contact, strips=strips))


def test_effects_leave_the_take_alone(take: Path) -> None:
    before = content(take)
    told = asked(take, Layers())
    assert content(take) == before
    assert [one["name"] for one in told["layers"]] == list(SECTIONS)
    assert set(told["layers"][0]["before"]) == {"foot_slide", "floor_error", "jerk", "bone_length_spread"}
    smoothing = told["layers"][2]
    assert smoothing["after"]["jerk"] <= smoothing["before"]["jerk"]
    json.dumps(told)
    assert METHODS["effects"] is effects


def test_the_artist_s_strips_are_told_as_they_are(take: Path) -> None:
    layers = read_layers({"foot_contact": {"strips": [STRIP]}})
    assert asked(take, layers)["strips"] == [STRIP]
    assert read_layers({"foot_contact": {"strips": asked(take, Layers())["strips"]}})


def test_a_recalibration_tells_the_same(take: Path) -> None:
    layers = read_layers({"smoothing": {"seconds": 1}, "foot_contact": {"strips": [STRIP]}})
    done = recalibrate({"take": str(take), "layers": layers.values()}, context())
    assert {name: done[name] for name in ("layers", "strips")} == asked(take, layers)
    assert done["spans"] == [[0, F]]


@pytest.mark.parametrize(
    ("params", "kind", "message"),
    [
        ({"person": 3}, BadArgument, "has no person 3"),
        ({"layers": {"smoothing": {"seconds": -1}}}, BadArgument, "smoothing.seconds"),
        ({"layers": {"foot_contact": {"strips": [STRIP | {"end": 0.0}]}}}, BadArgument, r"strips\[0\].end"),
        ({"rows": 3}, BadArgument, "no parameter rows"),
    ],
)
def test_what_nobody_can_mean(take: Path, params: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        effects({"take": str(take), **params}, context())


def test_an_unfinished_take_is_refused(tmp_path: Path) -> None:
    folder = make_take(tmp_path / "half.take", body=shipped(), frames=3, finished=False)
    with pytest.raises(TakeCorrupt, match="has not finished"):
        asked(folder, Layers())


@pytest.mark.parametrize(
    "layers", [Layers(), dataclasses.replace(Layers(), floor=dataclasses.replace(Layers().floor, enabled=False))]
)
def test_detected_strips_that_are_taken_over_change_nothing(layers: Layers) -> None:
    own = walk(150)
    hovering = own.motion.changed(root=own.motion.root + np.array([0.0, 0.0, 0.12]))
    source = own.source(hovering)
    detected = apply_layers(source, layers)
    assert detected.strips
    taken_over = apply_layers(source, with_strips(layers, detected.strips))
    assert np.array_equal(taken_over.motion.root, detected.motion.root)
    assert np.array_equal(taken_over.motion.rotations, detected.motion.rotations)
    assert taken_over.strips == detected.strips


def test_strips_are_detected_on_the_floor() -> None:
    own = walk(150)
    drift = np.linspace(0, 0.9, 150)[:, None] * [0.0, 1.0, 0.0]
    source = own.source(own.motion.changed(root=own.motion.root + drift))
    off = Layers.off()
    layers = dataclasses.replace(off, floor=dataclasses.replace(off.floor, enabled=True))
    sliding = strips_of(source.fitted, source, layers.foot_contact)
    free = dataclasses.replace(layers.floor, drift=1.0, keep_picture=False)
    first = floor.layer(source.fitted, source, free, sliding)
    assert apply_layers(source, layers).strips == strips_of(first, source, layers.foot_contact)
    assert apply_layers(source, off).strips == sliding
