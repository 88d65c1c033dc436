"""Local polynomial regression over time: each frame's value from a parabola through its neighbours (Cleveland 1979).

Frames stand at their seconds, so a rate that varies makes neither lag nor drift, and what follows a parabola is left as
it is, at the clip's ends too. Rotations are fitted in the tangent space of each frame's own rotation. Numpy only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import quaternions

Array = NDArray[np.float64]

_POWERS: Final = 3
"""Coefficients of a parabola."""


@dataclass(frozen=True, eq=False)
class LocalFit:
    """The weights of one width: the fitted value of frame i is Σ_k weights[i, k] · value of frame i + k - reach."""

    reach: int
    """Frames looked at on either side."""
    weights: Array
    """(F, 2 reach + 1) rows sum to 1; 0 for frames before the first and after the last."""

    @classmethod
    def of(cls, seconds: Array, width: float) -> LocalFit:
        """Tricube weights that fall to 0 `width` seconds away.

        Frames with no more neighbours than a parabola has coefficients keep their value. Shape: (F,) increasing.
        """
        frames = len(seconds)
        rows = np.arange(frames)
        first = np.searchsorted(seconds, seconds - width, side="right")
        last = np.searchsorted(seconds, seconds + width, side="left") - 1
        reach = int(max((rows - first).max(initial=0), (last - rows).max(initial=0)))
        at = rows[:, None] + np.arange(-reach, reach + 1)
        inside = (at >= 0) & (at < frames)
        away = seconds[at.clip(0, max(frames - 1, 0))] - seconds[:, None] if frames else np.zeros(at.shape)
        away = away / width if width > 0 else away
        kernel = np.where(inside, np.clip(1 - np.abs(away) ** 3, 0, None) ** 3, 0.0)
        weights = np.zeros(at.shape)
        weights[:, reach] = 1.0
        enough = (kernel > 0).sum(1) > _POWERS
        powers = away[enough, :, None] ** np.arange(_POWERS)
        weighted = powers * kernel[enough, :, None]
        constant = np.zeros((int(enough.sum()), _POWERS, 1))
        constant[:, 0] = 1.0
        weights[enough] = (weighted @ np.linalg.solve(np.swapaxes(weighted, 1, 2) @ powers, constant))[..., 0]
        return cls(reach, weights)

    @property
    def spread(self) -> Array:
        """(F,) standard deviation of the fitted value for independent errors of deviation 1."""
        return np.asarray(np.sqrt(np.square(self.weights).sum(1)))

    @property
    def residual_spread(self) -> Array:
        """(F,) standard deviation of value minus fitted value, likewise."""
        squares = np.square(self.weights).sum(1)
        return np.asarray(np.sqrt(np.clip(1 - 2 * self.weights[:, self.reach] + squares, 0, None)))


def fitted_changes(values: Array, fits: Sequence[LocalFit]) -> list[Array]:
    """From each value to its fitted one, for every width.

    Shape: (F, ..., 4) rotations or (F, ..., 3) places → (F, ..., 3) for each fit: a rotation vector in the frame's own
    axes, or a way.
    """
    if values.shape[-1] == 4:
        back = quaternions.conjugate(values)
        return _changes(values, fits, lambda a, b: quaternions.to_vector(quaternions.product(back[a], values[b])))
    return _changes(values, fits, lambda a, b: values[b] - values[a])


def _changes(values: Array, fits: Sequence[LocalFit], way: Callable[[slice, slice], Array]) -> list[Array]:
    """Each pair of frames is looked at once for all widths."""
    frames = len(values)
    out = [np.zeros((*values.shape[:-1], 3)) for _ in fits]
    shape = (-1,) + (1,) * (values.ndim - 1)
    for step in range(1, min(max((fit.reach for fit in fits), default=0), frames - 1) + 1):
        low, high = slice(0, frames - step), slice(step, frames)
        ahead, behind = way(low, high), way(high, low)
        for fit, change in zip(fits, out, strict=True):
            if fit.reach >= step:
                change[low] += fit.weights[low, fit.reach + step].reshape(shape) * ahead
                change[high] += fit.weights[high, fit.reach - step].reshape(shape) * behind
    return out
