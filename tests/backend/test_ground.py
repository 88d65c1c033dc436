"""One floor for several people: who is how tall beside whom, and what each stands on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference_backend.ground import Ground, Stander, find_ground, rest_on_levels, resting_places
from inference_backend.levels import levels_of, lowest_common, nearest_level
from inference_backend.skeletons import POINTS
from inference_backend.upright import LEVEL_ERROR, foot_contacts, level_up

from .stick_figure import FPS, STATURE, angle, camera, see, walk

SOLES = [POINTS.index(f"{side}_{part}") for part in ("heel", "foot_index") for side in ("left", "right")]


def person(tilt: float, *, size: float = 1.0, rise: float = 0.0, given: bool = False, turn: float = 0.0) -> Stander:
    """Somebody who walks before a camera 2.5 m high, of `size` times `STATURE` but taken as of `STATURE`: so too near
    or too far, by as much."""
    joints, points = walk(turn=turn)
    up = np.array([0, 0, rise])
    still = (np.linalg.norm(np.diff(points[:, SOLES], axis=0, append=points[-1:, SOLES]), axis=-1) < 1e-6).astype(float)
    matrix = camera(tilt, distance=6.0, height=2.5)
    joints_cam, points_cam = (array / size for array in see(matrix, size * joints + up, size * points + up))
    return Stander(joints_cam, points_cam, np.ones(len(joints)), still, FPS, STATURE, given)


def test_people_on_one_floor_are_as_tall_as_that_takes():
    people = [person(30.0), person(30.0, size=0.92, turn=1.0), person(30.0, size=1.06, turn=2.0)]
    ground = find_ground(people)
    assert ground.on_floor == (True, True, True)
    sizes = np.array([1.0, 0.92, 1.06])
    # Nobody is told, so all together are as tall as they were taken.
    np.testing.assert_allclose(np.array(ground.scales) / np.mean(ground.scales), sizes / sizes.mean(), atol=0.02)
    assert np.mean(np.log(ground.scales)) == pytest.approx(0, abs=0.02)
    assert angle(ground.world.up_cam, camera(30.0)[:3, 2]) < 1.5


def test_given_heights_stay():
    people = [person(30.0, given=True), person(30.0, size=0.95, given=True, turn=1.0)]
    assert find_ground(people).scales == (1.0, 1.0)


def test_the_floor_is_where_the_told_one_stands():
    people = [person(30.0, given=True), person(30.0, size=0.92, turn=1.0)]
    ground = find_ground(people)
    assert ground.world.floor_offset == pytest.approx(2.5, abs=0.08)
    assert ground.scales[0] == 1
    assert ground.scales[1] == pytest.approx(0.92, abs=0.02)


def test_a_child_is_a_child_and_who_stands_on_a_roof_is_on_a_roof():
    ground = find_ground([person(20.0), person(20.0, size=0.65, turn=1.0), person(20.0, rise=1.9, turn=2.0)])
    assert ground.on_floor == (True, True, False)
    assert ground.scales[1] == pytest.approx(0.68, abs=0.04)  # half way to what grown people are, where that is likely
    assert ground.scales[2] == 1
    assert ground.world.floor_offset == pytest.approx(2.5, abs=0.25)


def test_up_is_everyone_s():
    tilted = [person(20.0), person(26.0, turn=1.0)]  # one of them leans by 6°
    ups = [find_ground([one]).world.tilt_degrees for one in tilted]
    assert min(ups) + 1 < find_ground(tilted).world.tilt_degrees < max(ups) - 1


def test_nobody():
    with pytest.raises(ValueError, match="nobody"):
        find_ground([])


def on_steps(heights: dict[int, float]) -> tuple[Stander, Ground]:
    """Somebody who stands, and from some frames on stands as much higher; in the world that the first frame has."""
    joints, points = (np.repeat(array[:1], 90, axis=0) for array in walk(1))
    for start, height in heights.items():
        joints[start:, :, 2] += height
        points[start:, :, 2] += height
    world = find_ground([person(0.0, given=True)]).world
    matrix = np.linalg.inv(world.matrix)
    joints, points = (array @ matrix[:3, :3].T + matrix[:3, 3] for array in (joints, points))
    one = Stander(joints, points, np.ones(90), np.ones((90, 4)), FPS, STATURE, given=True)
    return one, Ground(world, (1.0,), (True,))


def test_feet_rest_on_the_floor_or_on_what_they_come_to_rest_on():
    one, ground = on_steps({45: 0.6})
    level, held, over = rest_on_levels(one, ground, on_floor=True)
    assert np.abs(level[:45]).max() == 0
    np.testing.assert_allclose(level[45:], 0.6, atol=0.05)
    sure = ground.world.confidence
    assert 0.5 < sure < 1
    assert held.min() > 0.9 * sure
    assert over.min() > 0.9 * sure
    assert max(held.max(), over.max()) <= sure


def test_a_foot_in_the_air_rests_on_nothing():
    one, ground = on_steps({45: 0.6, 48: -0.6})
    level, held, _ = rest_on_levels(one, ground, on_floor=True)
    assert held[45:48].max() == 0
    assert not level.any()


def test_feet_sink_into_no_floor_but_the_floor():
    one, ground = on_steps({30: -0.1, 60: -0.9})
    _, _, over = rest_on_levels(one, ground, on_floor=True)
    sure = ground.world.confidence
    assert over[:30].min() > 0.9 * sure
    assert 0.5 * sure < over[30:60].mean() < 0.9 * sure
    _, held, over = rest_on_levels(one, ground, on_floor=False)
    assert held[60:].min() > 0.9 * sure  # who is not on the floor still has what the feet rest on


def test_where_up_is_not_known_nothing_is_held_to_the_floor():
    one, ground = on_steps({})
    unsure = replace(ground, world=replace(ground.world, error_degrees=LEVEL_ERROR))
    _, held, over = rest_on_levels(one, unsure, on_floor=True)
    assert not held.any()
    assert not over.any()


def test_resting_places_are_under_the_lower_end_of_each_foot():
    one = person(0.0)
    up = camera(0.0)[:3, 2]
    places = resting_places(one, up)
    assert len(places) >= 12
    np.testing.assert_allclose(-places @ up, 2.5, atol=0.03)
    still = Stander(one.joints, one.points, one.weights, np.zeros_like(one.standing), FPS, STATURE, given=True)
    assert len(resting_places(still, up)) == 0


def test_many_places_of_one_walk_do_not_overrule_the_body():
    """The lifter errs alike on all of them: 400 places say no more than `MOST_CONTACTS`."""
    one = person(30.0)
    up = camera(30.0)[:3, 2]
    sloped = foot_contacts(one.joints, one.points, one.seen, up, FPS)
    sloped = sloped + np.outer(np.tan(np.radians(10)) * (sloped - sloped.mean(0))[:, 2], up)
    few, many = level_up(sloped, up, 4.0), level_up(np.tile(sloped, (20, 1)), up, 4.0)
    assert few is not None
    assert many is not None
    assert angle(many[0], few[0]) < 1.0
    assert many[1] > 0.8 * few[1]


def test_levels():
    depths = np.array([2.5, 2.52, 0.6, 2.48, 0.61])
    assert levels_of(depths) == [(pytest.approx(0.605), 2), (pytest.approx(2.5), 3)]
    assert levels_of(np.zeros(0)) == []
    levels = [(0.6, 2), (2.5, 3)]
    assert nearest_level(levels, 2.6, given=True) == (2.5, 3)
    assert nearest_level(levels, 2.9, given=True) is None
    assert nearest_level(levels, 2.9, given=False) == (2.5, 3)
    assert nearest_level(levels, -0.6, given=False) is None


def test_the_floor_is_the_lowest_level_that_most_can_stand_on():
    nobody_told = np.zeros(3, bool)
    roof, ground = (0.6, 20), (2.5, 8)
    assert lowest_common([[roof], [ground], []], nobody_told) == 2.5
    assert lowest_common([[roof, ground]], nobody_told[:1]) == 2.5
    assert lowest_common([[roof, (2.5, 2)]], nobody_told[:1]) == 0.6  # a stumble is no floor
    assert lowest_common([[roof], [(0.65, 5)], [ground]], nobody_told) in (0.6, 0.65)


@pytest.mark.parametrize("broken", ["joints", "points", "standing", "weights"])
def test_wrong_shapes(broken):
    one = person(0.0)
    arrays = {name: getattr(one, name) for name in ("joints", "points", "weights", "standing")}
    arrays[broken] = arrays[broken][:-1]
    with pytest.raises(ValueError, match="found"):
        Stander(**arrays, fps=FPS, height=STATURE, given=False)
