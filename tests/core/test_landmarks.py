"""2D landmarks under the mouse: which one is meant, what goes along, and from a view's pixels back to the picture's."""

from __future__ import annotations

import numpy as np

from pchmr.inference_backend.skeletons import LANDMARKS
from pchmr.pchmr_blender.core.landmarks import FOLLOWERS, IN_WORDS, moved_along, nearest_landmark
from pchmr.pchmr_blender.core.lens import Pinhole
from pchmr.pchmr_blender.core.picture_overlay import picture_points, region_points

WRIST, INDEX, THUMB = (LANDMARKS.index(f"left_{part}") for part in ("wrist", "index", "thumb"))


def test_the_nearest_within_reach_is_meant() -> None:
    points = np.stack([np.arange(33) * 10.0, np.zeros(33)], 1)
    assert nearest_landmark(points, (252, 3), 20) == 25
    assert nearest_landmark(points, (252, 30), 20) is None
    points[25] = np.nan
    assert nearest_landmark(points, (252, 3), 20) == 26
    assert nearest_landmark(np.full((33, 2), np.nan), (0, 0), 20) is None


def test_where_landmarks_crowd_the_wrist_is_meant_and_a_finger_only_from_nearby() -> None:
    points = np.full((33, 2), 1000.0)
    points[WRIST], points[INDEX] = (100, 100), (105, 100)
    assert nearest_landmark(points, (104, 100), 20) == WRIST
    points[INDEX] = 118, 100
    assert nearest_landmark(points, (117, 100), 20) == INDEX


def test_hands_go_along_with_wrists_and_feet_with_ankles() -> None:
    along = {LANDMARKS[k]: {LANDMARKS[one] for one in others} for k, others in enumerate(FOLLOWERS) if others}
    assert along == {
        f"{side}_{name}": {f"{side}_{part}" for part in parts}
        for side in ("left", "right")
        for name, parts in {"wrist": ("pinky", "index", "thumb"), "ankle": ("heel", "foot_index")}.items()
    }


def test_what_was_corrected_itself_stays() -> None:
    places = np.arange(66, dtype=float).reshape(33, 2)
    moved = moved_along(places, WRIST, places[WRIST] + [5, -7], {THUMB: (1.0, 2.0)})
    assert THUMB not in moved
    assert set(moved) == {WRIST, INDEX, LANDMARKS.index("left_pinky")}
    for landmark, place in moved.items():
        assert (place - places[landmark]).tolist() == [5, -7]


def test_every_landmark_has_a_name() -> None:
    assert len(set(IN_WORDS)) == len(LANDMARKS)
    assert IN_WORDS[0] == "Nose"
    assert IN_WORDS[LANDMARKS.index("right_foot_index")] == "Right toe tip"
    assert IN_WORDS[LANDMARKS.index("left_eye_inner")] == "Left eye inner"
    assert IN_WORDS[LANDMARKS.index("mouth_right")] == "Right mouth"


def test_back_from_the_view_to_the_picture() -> None:
    """With a zoomed and shifted view, and a camera that is turned and moved."""
    draw = np.random.default_rng(1)
    pinhole = Pinhole(640, 360, 700.0, 720.0, 300.0, 200.0)
    camera = np.eye(4)
    camera[:3, :3] = np.linalg.qr(draw.normal(size=(3, 3)))[0]
    camera[:3, 3] = draw.normal(size=3)
    lens = np.array([[1.9, 0, 0.2, 0], [0, 2.7, -0.1, 0], [0, 0, -1.0, -0.2], [0, 0, -1, 0]])
    perspective = lens @ np.linalg.inv(camera)
    pixels = draw.uniform((-100, -100), (740, 460), (33, 2))
    view = pinhole, camera, perspective, 1200, 800
    shown = region_points(pixels.astype(np.float32), *view)
    np.testing.assert_allclose(picture_points(shown, *view), pixels, atol=1e-3)
