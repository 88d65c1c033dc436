from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference_backend.camera_motion import CameraMotion, CameraMotionReport, flattened, looks_every, reduction

WIDTH, HEIGHT, FRAMES = 640, 360, 36
NOBODY = np.zeros((0, 4))


def texture(seed: int, height: int = HEIGHT + 240, width: int = WIDTH + 240) -> np.ndarray:
    """A picture with detail at several sizes."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.uniform(0, 1, (height // k, width // k, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
        for k in (5, 12, 40)
    ]
    return np.clip(sum(layers) / 3 * 220 + 15, 0, 255).astype(np.uint8)


SCENE, COAT = texture(0), texture(1)


def view(x: float = 0.0, y: float = 0.0, zoom: float = 1.0, roll: float = 0.0) -> np.ndarray:
    """What a camera that looks (x, y) px aside, zoomed and rolled (rad), sees of the scene."""
    c, s = zoom * np.cos(roll), zoom * np.sin(roll)
    middle = np.array([WIDTH / 2, HEIGHT / 2])
    A = np.array([[c, -s], [s, c]])
    shift = middle - A @ (middle + 120 + [x, y])
    return cv2.warpAffine(SCENE, np.column_stack([A, shift]), (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)


def with_person(image: np.ndarray, box: tuple[int, int, int, int], step: int) -> np.ndarray:
    """Someone whose coat moves with `step`."""
    x0, y0, x1, y1 = box
    image = image.copy()
    image[y0:y1, x0:x1] = COAT[7 * step % 200 :, 5 * step % 200 :][: y1 - y0, : x1 - x0]
    return image


def report(frames, boxes=NOBODY, every=2) -> CameraMotionReport:
    motion = CameraMotion()
    for index, image in list(enumerate(frames))[::every]:
        motion.look(index, flattened(image), reduction(*image.shape[:2]), boxes)
    return motion.result()


def shake(seed: int, amplitude: float) -> np.ndarray:
    """(FRAMES, 2) a hand that shakes twice a second at 30 frames/s."""
    rng = np.random.default_rng(seed)
    knots = rng.normal(0, amplitude, (FRAMES // 7 + 3, 2))
    at = np.arange(FRAMES) / 7
    return np.stack([np.interp(at, np.arange(len(knots)), knots[:, i]) for i in (0, 1)], 1)


def test_smoke():
    still = report([view()] * 5)
    assert still == CameraMotionReport(False, 0.0, 0.0, None, 2, 3)
    assert CameraMotion().result() == CameraMotionReport(False, 0.0, 0.0, None, 0, 0)


def test_a_still_camera_is_still_whatever_happens_before_it():
    rng = np.random.default_rng(3)
    noisy = [np.clip(view() + rng.normal(0, 10, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8) for _ in range(FRAMES)]
    brighter = [np.clip(view() * (0.7 + 0.02 * i), 0, 255).astype(np.uint8) for i in range(FRAMES)]
    box = (130, 0, 520, 360)  # 61% of the picture
    filling = [with_person(view(), box, i) for i in range(FRAMES)]
    for frames, boxes in ((noisy, NOBODY), (brighter, NOBODY), (filling, [box])):
        found = report(frames, np.array(boxes))
        assert not found.moving
        assert found.judged >= 0.9 * (found.looks - 1)
    assert not report(filling).moving  # nor where nobody noticed the person


def test_leaves_and_a_crowd_are_not_the_camera():
    sway = shake(1, 6.0)
    frames = []
    for i in range(FRAMES):
        image = view()
        dx, dy = sway[i]
        leaves = cv2.warpAffine(COAT, np.array([[1, 0, dx - 40], [0, 1, dy - 40]]), (WIDTH, 130), flags=cv2.INTER_CUBIC)
        image[:130] = leaves
        for k in range(6):
            x, side = (40 + 100 * k + (9 - 3 * k) * i) % 560, 1 if k % 2 else -1
            image = with_person(image, (x, 180, x + 60, 330), side * i + 20 * k)
        frames.append(image)
    assert not report(frames).moving


@pytest.mark.parametrize(
    ("name", "path", "speed"),
    [
        ("slow pan", [{"x": 0.2 * i} for i in range(FRAMES)], 0.2),
        ("pan and tilt", [{"x": 3.0 * i, "y": 1.0 * i} for i in range(FRAMES)], np.hypot(3, 1)),
        ("shake", [{"x": x, "y": y} for x, y in shake(2, 5.0)], None),
        ("zoom", [{"zoom": 1.003**i} for i in range(FRAMES)], None),
        ("roll", [{"roll": 0.002 * i} for i in range(FRAMES)], None),
    ],
)
def test_a_moving_camera_moves_and_so_with_a_person_before_it(name, path, speed):
    box = (200, 20, 440, 360)
    for person in (False, True):
        frames = [view(**place) for place in path]
        if person:
            frames = [with_person(image, box, i) for i, image in enumerate(frames)]
        found = report(frames, np.array([box]) if person else NOBODY)
        assert found.moving, name
        assert found.share > 0.6
        assert found.first_frame <= 12
        if speed is not None:
            assert found.pixels_per_frame == pytest.approx(speed, rel=0.15)


def test_movement_that_ends_is_told_with_its_first_frame():
    found = report([view(x=4.0 * min(max(i - 15, 0), 5)) for i in range(FRAMES)])
    assert found.moving
    assert found.first_frame == 16
    assert found.share == pytest.approx(10 / 17)


def test_a_flash_and_a_cut_are_not_movements():
    frames = [view()] * 12
    frames[6] = np.full_like(frames[0], 250)
    assert not report(frames).moving
    cut = [view()] * 12 + [COAT[:HEIGHT, :WIDTH]] * 12
    assert not report(cut).moving


def test_a_blank_wall_tells_nothing():
    found = report([np.full((HEIGHT, WIDTH, 3), 200, np.uint8)] * 8)
    assert (found.moving, found.judged, found.looks) == (False, 0, 4)


def test_sizes():
    for height, width in ((1920, 1080), (90, 160), (994, 1768)):
        picture, factor = flattened(np.zeros((height, width, 3), np.uint8)), reduction(height, width)
        assert picture.shape == (height // factor, width // factor)
        assert max(picture.shape) <= 480


def test_looks_are_a_tenth_of_a_second_apart():
    assert [looks_every(fps) for fps in (120, 30, 25, 10, 1)] == [12, 3, 2, 1, 1]


def test_wrong_arguments():
    motion = CameraMotion()
    motion.look(0, flattened(view()), 2, NOBODY)
    with pytest.raises(ValueError, match="the frames before"):
        motion.look(1, flattened(view())[:100], 2, NOBODY)
    with pytest.raises(ValueError, match="picture"):
        motion.look(1, view(), 2, NOBODY)
    with pytest.raises(ValueError, match="image"):
        flattened(view().astype(np.float32))
