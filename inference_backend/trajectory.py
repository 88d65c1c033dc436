"""The root's path over a clip: where each ray was seen is kept, how far along it is smoothed robustly.

A detection fixes the ray from the camera to the pelvis within a pixel or two; how far along it the body stands comes
from its size in the picture, and jitters by 28 mm from frame to frame, with outliers. So the path is solved for in
logarithmic depth ℓ, the natural scale of an error in size,

    min Σ w ρ(ℓ - y) + τ⁴ ∫ ℓ''² dt        ρ: Huber's

whose answer for a steady weight is a low pass that halves a motion of period 2πτ and lets a steady walk through.
Claps, steps and jumps across the view are left as they were seen.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import solveh_banded

Array = npt.NDArray[np.float64]

SMOOTH_SECONDS: Final = 0.2
"""τ. Of 0.05 to 0.8 s the least errors of place and of speed, for BlazePose's errors on rendered motion capture scaled
to a jitter of 28 to 56 mm (optimum 0.12 to 0.25 s)."""

GAP_SECONDS: Final = 0.5
"""Where nothing was seen, speeds fade to the gap's mean within about this time, so that no curve swings out."""

_HUBER: Final = 1.345
"""Huber's threshold in standard deviations: 95% efficient for a normal error."""
_LEAST_SPREAD: Final = 1e-3
"""Least standard deviation of ℓ: 4 mm at 4 m. Exact data has none."""
_ITERATIONS: Final = 15
_OBSERVED: Final = 1e6
"""Weight of a ray that was seen, beside the smoothness of those that were not."""


def fit_root(
    root_cam: npt.NDArray[Any], weights: npt.NDArray[Any], fps: float, smooth_seconds: float = SMOOTH_SECONDS
) -> Array:
    """The smoothed path of the root. Every frame with a weight keeps its ray, and so its place in the picture.

    Frames of weight 0, and those whose root is not finite or not in front of the camera, count as not seen: ray and
    depth are interpolated from their neighbours, and held outside of the first and the last frame that was seen.

    Args:
        root_cam: (F, 3) metres, camera frame: the pelvis frame by frame.
        weights: (F,) confidence in each, 0 to 1.
        fps: frames a second.
        smooth_seconds: τ; 0 only fills gaps.

    Returns:
        (F, 3) float64 metres, camera frame. Time and memory grow with F only.

    Raises:
        ValueError: other shapes, negative weights, fps not above 0, or no frame that was seen.
    """
    root, weight = np.asarray(root_cam, np.float64), np.asarray(weights, np.float64)
    if root.ndim != 2 or root.shape[1] != 3 or weight.shape != root.shape[:1]:
        raise ValueError(f"root_cam, weights: found {root.shape}, {weight.shape}, want (F, 3), (F,)")
    if not (fps > 0 and smooth_seconds >= 0) or not (weight >= 0).all():
        raise ValueError(f"fps {fps}, smooth_seconds {smooth_seconds} or a weight is negative, or fps is 0")
    seen = (weight > 0) & np.isfinite(root).all(1)
    seen[seen] = root[seen, 2] > 0
    if not seen.any():
        raise ValueError("no frame has a weight and a root in front of the camera")
    if len(root) == 1:
        return root.copy()
    weight = np.where(seen, weight, 0.0)
    safe = np.where(seen[:, None], root, [0.0, 0.0, 1.0])
    ray = safe[:, :2] / safe[:, 2:]
    observed = np.where(seen, _OBSERVED, 0.0)
    penalty = roughness(seen, fps, max(smooth_seconds, 1 / fps))
    filled = np.stack([smooth(ray[:, i], observed, penalty) for i in (0, 1)], 1)
    ray = np.where(seen[:, None], ray, filled)
    log_depth = np.log(safe[:, 2])
    if smooth_seconds > 0:
        log_depth = smooth_robustly(log_depth, weight, penalty)
    else:
        log_depth = np.where(seen, log_depth, smooth(log_depth, observed, penalty))
    depth = np.exp(log_depth)[:, None]
    return np.concatenate([ray * depth, depth], 1)


def roughness(seen: npt.NDArray[np.bool_], fps: float, tau: float) -> Array:
    """The quadratic form of τ⁴ ∫ ℓ''² dt, and of τ⁴/θ² ∫ ℓ'² dt over gaps, per frame.

    Shape: (F,), F ≥ 2 → (3, F), the upper bands of a symmetric matrix as `scipy.linalg.solveh_banded` wants them.
    """
    count = len(seen)
    bands = np.zeros((3, count))
    curvature = (tau * fps) ** 4
    bands[2, :-2] += curvature
    bands[2, 1:-1] += 4 * curvature
    bands[2, 2:] += curvature
    bands[1, 1:-1] -= 2 * curvature
    bands[1, 2:] -= 2 * curvature
    bands[0, 2:] += curvature
    tension = np.where(seen[:-1] & seen[1:], 0.0, tau**4 * fps**2 / GAP_SECONDS**2)
    bands[2, :-1] += tension
    bands[2, 1:] += tension
    bands[1, 1:] -= tension
    return bands


def smooth(values: Array, weights: Array, penalty: Array) -> Array:
    """argmin Σ w (x - values)² + xᵀ P x, by one banded solve. Shape: (F,), (F,), (3, F) → (F,)."""
    # About their mean the values are small, and so are the rounding errors of a stiff system.
    mean = float(np.average(values, weights=weights))
    bands = penalty.copy()
    bands[2] += weights
    return np.asarray(mean + solveh_banded(bands, weights * (values - mean), check_finite=False), np.float64)


def smooth_robustly(values: Array, weights: Array, penalty: Array) -> Array:
    """As `smooth`, with Huber's function of the residuals, by iterated reweighting. Their spread comes from them."""
    fitted = smooth(values, weights, penalty)
    for _ in range(_ITERATIONS):
        residual = np.abs(values - fitted)
        spread = max(1.4826 * float(np.median(residual[weights > 0])), _LEAST_SPREAD)
        trust = np.minimum(1.0, _HUBER * spread / np.maximum(residual, 1e-300))
        before, fitted = fitted, smooth(values, weights * trust, penalty)
        if np.abs(fitted - before).max() < 1e-6:
            break
    return fitted
