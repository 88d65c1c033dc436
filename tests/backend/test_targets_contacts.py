"""Strips of standing heels and toes: found where feet stand, not where they swing, hang or hover."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference_backend.targets import quaternions
from inference_backend.targets.contacts import detected_strips, frame_edges, standing_frames, strips_of
from inference_backend.targets.parameters import FootContact, Strip
from inference_backend.targets.source import sole_points

from .walkers import FPS, Walk, jump, stand, walk

SETTINGS = FootContact()


def found(take: Walk, **changes: object) -> np.ndarray:
    source = replace(take.source(), **changes)  # type: ignore[arg-type]
    return standing_frames(detected_strips(take.motion, source, SETTINGS), source.seconds)


def test_who_stands_stands_all_the_time() -> None:
    take = stand()
    strips = detected_strips(take.motion, take.source(), SETTINGS)
    assert sorted((strip.side, strip.part) for strip in strips) == [
        ("left", "heel"), ("left", "toe"), ("right", "heel"), ("right", "toe"),
    ]  # fmt: skip
    assert found(take).all()


@pytest.mark.parametrize("speed", [0.6, 1.1, 1.4])
def test_steps_of_a_walk(speed: float) -> None:
    take = walk(120, speed)
    strips = found(take)
    assert (strips & take.stands).sum() > 0.95 * take.stands.sum()
    assert (strips & ~take.stands).sum() < 0.15 * (~take.stands).sum()


def test_heels_come_first_and_toes_leave_last() -> None:
    strips = [s for s in detected_strips(walk().motion, walk().source(), SETTINGS) if s.side == "left"]
    heel, toe = (next(s for s in strips if s.part == part and s.start > 0.2) for part in ("heel", "toe"))
    assert heel.start < toe.start
    assert heel.end < toe.end


def test_without_the_picture_height_and_speed_tell() -> None:
    take = walk()
    strips = found(take, visibility=np.zeros((90, 24)))
    assert (strips & take.stands).sum() > 0.9 * take.stands.sum()


def test_nobody_stands_in_the_air() -> None:
    take = jump()
    strips = found(take, standing=np.ones((75, 4)))
    assert not strips[33:42].any()
    assert strips[:28].all()
    assert strips[48:].all()


def test_a_foot_held_up_does_not_stand() -> None:
    take = stand()
    legs = take.motion.rotations.copy()
    legs[:, 1] = [np.cos(0.5), -np.sin(0.5), 0, 0]  # the left thigh is raised by 57°
    strips = found(Walk(take.motion.changed(rotations=legs), take.stands))
    assert not strips[:, [0, 2]].any()
    assert strips[:, [1, 3]].all()


@pytest.mark.parametrize(("degrees", "heels"), [(10, True), (20, False)])
def test_a_heel_high_above_its_toes_does_not_stand(degrees: float, heels: bool) -> None:
    """Whatever the picture says: the whole body would be pulled down for it."""
    take = stand()
    tilted = take.motion.rotations.copy()
    turn = quaternions.from_vector([np.radians(degrees), 0.0, 0.0])
    tilted[:, [7, 8]] = quaternions.product(tilted[:, [7, 8]], turn)
    tilted[:, [10, 11]] = quaternions.product(tilted[:, [10, 11]], quaternions.conjugate(turn))  # the toes stay flat
    motion = take.motion.changed(rotations=tilted)
    down = [sole_points(one, take.source().sole_offsets)[..., 2].min() for one in (motion, take.motion)]
    strips = found(Walk(motion.changed(root=motion.root - [0, 0, down[0] - down[1]]), take.stands))
    assert strips[:, 2:].all()
    assert (strips[:, :2] == heels).all()


@pytest.mark.parametrize("height", [-0.05, 0.05])
def test_a_floor_that_is_off_by_centimetres_does_not_matter(height: float) -> None:
    take = walk()
    moved = Walk(take.motion.changed(root=take.motion.root + np.array([0, 0, height])), take.stands)
    assert (found(moved) & take.stands).sum() > 0.9 * take.stands.sum()


def test_single_frames_are_not_believed() -> None:
    take = walk()
    flicker = take.stands.copy()
    flicker[::7] ^= True
    strips = detected_strips(take.motion, replace(take.source(), standing=flicker.astype(float)), SETTINGS)
    assert min(strip.end - strip.start for strip in strips) >= SETTINGS.shortest_seconds
    assert len(strips) == len(detected_strips(take.motion, take.source(), SETTINGS))


def test_a_leap_of_one_frame_breaks_no_strip() -> None:
    take = stand()
    root = take.motion.root.copy()
    root[30, 2] += 0.2
    assert found(Walk(take.motion.changed(root=root), take.stands)).all()


@pytest.mark.parametrize("fps", [6.0, 15.0, 60.0, 120.0])
def test_any_frame_rate(fps: float) -> None:
    take = walk(180, speed=1.1)
    rows = np.minimum(np.round(np.arange(0, 179 / FPS, 1 / fps) * FPS).astype(int), 179)
    motion = take.motion.changed(root=take.motion.root[rows], rotations=take.motion.rotations[rows])
    source = replace(Walk(motion, take.stands[rows]).source(), seconds=np.arange(len(rows)) / fps)
    strips = standing_frames(detected_strips(motion, source, SETTINGS), source.seconds)
    assert (strips & take.stands[rows]).sum() > 0.7 * take.stands[rows].sum()


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_clips(frames: int) -> None:
    take = stand(frames)
    assert found(take).shape == (frames, 4)


def test_the_artists_strips_win() -> None:
    take = walk()
    own = (Strip("left", "toe", 0.5, 1.0),)
    assert strips_of(take.motion, take.source(), replace(SETTINGS, strips=own)) == own
    assert strips_of(take.motion, take.source(), replace(SETTINGS, strips=())) == ()
    stands = standing_frames(own, take.source().seconds)
    assert np.array_equal(np.flatnonzero(stands[:, 2]), np.arange(15, 31))
    assert not stands[:, [0, 1, 3]].any()


def test_edges_lie_half_way() -> None:
    assert np.allclose(frame_edges(np.array([0.0, 1.0, 3.0])), [-0.5, 0.5, 2.0, 4.0])
