from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from inference_backend.trajectory import GAP_SECONDS, fit_root, roughness, smooth

FPS = 30.0


def walk(frames: int = 150, fps: float = FPS) -> np.ndarray:
    """A walk away from the camera and across, with the sway of steps. Metres."""
    t = np.arange(frames) / fps
    return np.stack([-1 + 0.4 * t + 0.03 * np.sin(2 * np.pi * t), 0.1 + 0.02 * np.sin(4 * np.pi * t), 4 + 0.3 * t], 1)


def with_jitter(path: np.ndarray, metres: float, seed: int = 0) -> np.ndarray:
    """The depth of every frame wrong, along its ray."""
    error = np.random.default_rng(seed).normal(0, metres, len(path))
    return path * (1 + error / path[:, 2])[:, None]


def rays(path: np.ndarray) -> np.ndarray:
    return path[:, :2] / path[:, 2:]


def rms(error: np.ndarray) -> float:
    return float(np.sqrt((error**2).mean()))


def dense_roughness(seen: np.ndarray, fps: float, tau: float) -> np.ndarray:
    """The readable twin of `roughness`: second differences, and first ones over gaps, as full matrices."""
    count = len(seen)
    second = np.diff(np.eye(count), 2, axis=0) * fps**2
    first = np.diff(np.eye(count), axis=0) * fps
    gap = np.diag([0.0 if a and b else 1.0 for a, b in pairwise(seen)])
    return tau**4 * second.T @ second + (tau**2 / GAP_SECONDS) ** 2 * first.T @ gap @ first


def test_banded_solve_is_its_dense_twin():
    rng = np.random.default_rng(1)
    seen = rng.random(40) > 0.3
    weights = rng.random(40) * seen
    values = rng.normal(size=40)
    penalty = roughness(seen, FPS, 0.2)
    dense = dense_roughness(seen, FPS, 0.2)
    expected = np.linalg.solve(np.diag(weights) + dense, weights * values)
    np.testing.assert_allclose(smooth(values, weights, penalty), expected, atol=1e-9)


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_short_clips(frames):
    path = walk(frames)
    out = fit_root(path.astype(np.float32), np.ones(frames, np.float32), FPS)
    assert out.shape == (frames, 3)
    assert out.dtype == np.float64
    np.testing.assert_allclose(out, path, atol=5e-4)


def test_depth_jitter_goes_and_the_ray_stays():
    path = walk()
    seen = with_jitter(path, 0.028)
    out = fit_root(seen, np.ones(len(path)), FPS)
    np.testing.assert_allclose(rays(out), rays(path), atol=1e-12)
    assert rms(out - path) < 0.4 * rms(seen - path)
    assert rms(np.diff(out, 2, axis=0) - np.diff(path, 2, axis=0)) < 0.02 * rms(np.diff(seen, 2, axis=0))


def test_outliers_in_depth_do_not_pull():
    path = walk()
    seen = with_jitter(path, 0.01)
    bad = np.arange(20, 150, 17)
    seen[bad] *= 1.3
    weights = np.ones(len(path))
    out = fit_root(seen, weights, FPS)
    weights[bad] = 0
    assert rms(out[:, 2] - path[:, 2]) < rms(fit_root(seen, weights, FPS)[:, 2] - path[:, 2]) + 0.01
    assert np.abs(out[:, 2] - path[:, 2]).max() < 0.06


def test_a_jump_across_the_view_is_left_alone():
    path = walk()
    t = np.arange(60, 75) - 60
    path[60:75, 1] -= 0.5 * np.sin(np.pi * t / 15)
    out = fit_root(path, np.ones(len(path)), FPS)
    np.testing.assert_allclose(out, path, atol=1e-3)


def test_strength_is_by_seconds():
    slow, fast = walk(150, 30.0), walk(600, 120.0)
    t = np.arange(600) / 120
    bump = 0.2 * np.exp(-(((t - 2.5) / 0.15) ** 2))
    fast[:, 2] += bump
    slow[:, 2] += bump[::4]
    out_slow, out_fast = fit_root(slow, np.ones(150), 30.0), fit_root(fast, np.ones(600), 120.0)
    np.testing.assert_allclose(out_slow[:, 2], out_fast[::4, 2], atol=2e-3)


def test_gaps_are_crossed_without_swinging_out_and_ends_are_held():
    path = walk()
    seen = path.copy()
    weights = np.ones(len(path))
    weights[50:90] = weights[:10] = weights[140:] = 0
    seen[50:90] = [np.nan, 5.0, -1.0]
    seen[:10] = 7.0
    out = fit_root(seen, weights, FPS)
    np.testing.assert_allclose(out[50:90], path[50:90], atol=0.12)
    np.testing.assert_allclose(out[10:50], path[10:50], atol=0.02)
    assert np.abs(out[0] - path[10]).max() < 0.15
    # Opposite speeds at the two ends of a long gap must not bulge.
    hill = np.tile([0.0, 0.0, 4.0], (400, 1))
    hill[:100, 2] += np.arange(-100, 0) * 0.01
    hill[300:, 2] -= np.arange(100) * 0.01
    weights = np.ones(400)
    weights[100:300] = 0
    assert fit_root(hill, weights, FPS)[100:300, 2].max() < 4.25


def test_weightless_and_impossible_frames_count_as_not_seen():
    path = walk(60)
    gap = path.copy()
    weights = np.ones(60)
    weights[20] = 0
    expected = fit_root(path, weights, FPS)
    for value in (np.nan, np.inf, -4.0):
        gap[20] = value
        np.testing.assert_allclose(fit_root(gap, np.ones(60), FPS), expected)


def test_without_smoothing_only_gaps_change():
    path = with_jitter(walk(60), 0.03)
    weights = np.ones(60)
    weights[30:33] = 0
    out = fit_root(path, weights, FPS, smooth_seconds=0.0)
    np.testing.assert_allclose(out[weights > 0], path[weights > 0], atol=1e-9)
    assert np.isfinite(out).all()


def test_the_input_is_left_as_it_was():
    path = with_jitter(walk(60), 0.03)
    before = path.copy()
    fit_root(path, np.ones(60), FPS)
    np.testing.assert_array_equal(path, before)


def test_wrong_arguments():
    path = walk(10)
    with pytest.raises(ValueError, match=r"\(10, 2\)"):
        fit_root(path[:, :2], np.ones(10), FPS)
    with pytest.raises(ValueError, match=r"\(9,\)"):
        fit_root(path, np.ones(9), FPS)
    with pytest.raises(ValueError, match="fps"):
        fit_root(path, np.ones(10), 0.0)
    with pytest.raises(ValueError, match="negative"):
        fit_root(path, -np.ones(10), FPS)
    with pytest.raises(ValueError, match="no frame"):
        fit_root(path, np.zeros(10), FPS)
