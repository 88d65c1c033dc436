"""The fit's cost and its gradient in one pass over the frames, as machine code. Its twin is `FitCost.plain`."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .fit_cost import ENDS, FAR, MEETS, NEAR, FitCost
from .footing import FLAT, SINKING
from .standing import SOLES


def cost_of(cost: FitCost, places: Tensor, rotations: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
    """As `FitCost.plain`; differentiable in all that it takes. float32 on the CPU."""
    result: Tensor = _Cost.apply(cost, places, rotations, turn, shift)  # type: ignore[no-untyped-call]
    return result


class _Cost(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cost: FitCost, *pose: Tensor) -> Tensor:
        values = [tensor.detach().contiguous() for tensor in pose]
        gradients = [torch.zeros_like(tensor) for tensor in values]
        arrays = [tensor.numpy() for tensor in (*values, *gradients)]
        total = _compiled()[0](*arrays, *_lifted(cost)) + _compiled()[1](*_moving(cost, *arrays))
        if cost.footing is not None:
            total += _compiled()[2](*_on_floor(cost, *arrays))
        ctx.save_for_backward(*gradients)
        return torch.tensor(total, dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        return None, *(gradient * gradients[0] for gradient in ctx.saved_tensors)


def _lifted(cost: FitCost) -> tuple[Any, ...]:
    """What `_agreement` takes of a cost."""
    frames, settings = len(cost.place), cost.settings
    weights = np.array(
        [
            settings.joints / (frames * 24), MEETS * settings.reprojection / (frames * 33), 0.05 / frames,
            0.1 * settings.rotation / (frames * 24), 0.2 * settings.rotation / (frames * len(ENDS)),
        ],
        np.float32,
    )  # fmt: skip
    limits = np.array([NEAR, FAR], np.float32)
    tensors = cost.place, cost.relative, cost.weight, cost.ends, cost.seen, cost.trust
    return *(tensor.contiguous().numpy() for tensor in tensors), weights, np.array(ENDS), limits


def _moving(cost: FitCost, *pose: Any) -> tuple[Any, ...]:
    """What `_unrest` takes."""
    places, _, _, shift, to_places, _, _, to_shift = pose
    frames, settings, rate = len(places), cost.settings, cost.fps / 30.0
    aside = settings.smoothness * rate**2 / (max(frames - 2, 1) * 24)
    slide = settings.contact * rate / (max(frames - 1, 1) * len(SOLES))
    still = cost.stands.contiguous().numpy(), np.array(SOLES) + 24
    return places, shift, to_places, to_shift, cost.place.numpy(), *still, np.float32(aside), np.float32(slide)


def _on_floor(cost: FitCost, *pose: Any) -> tuple[Any, ...]:
    """What `_off_floor` takes."""
    places, _, _, shift, to_places, _, _, to_shift = pose
    assert cost.footing is not None
    names = ("up", "level", "clearance", "held", "over", "tiptoe")
    arrays = [getattr(cost.footing, name).contiguous().numpy() for name in names]
    weights = np.float32(cost.settings.floor) * np.array([1.0, SINKING, FLAT], np.float32)
    return places, shift, to_places, to_shift, cost.place.numpy(), *arrays, np.array(SOLES) + 24, weights


@cache
def _compiled() -> tuple[Any, Any, Any]:
    import numba

    # Exact sums, unlike elsewhere: what stands still has no acceleration, not one of the last bit's direction.
    fast = numba.njit(nogil=True, error_model="numpy", cache=True)
    return fast(_agreement), fast(_unrest), fast(_off_floor)


def _agreement(
    places: Any, rotations: Any, turn: Any, shift: Any, to_places: Any, to_rotations: Any, to_turn: Any, to_shift: Any,
    place: Any, relative: Any, weight: Any, kept: Any, seen: Any, trust: Any, weights: Any, ends: Any, limits: Any,
) -> float:  # fmt: skip
    """Cost of being away from what was lifted and seen. Adds its gradient to what begins with `to_`."""
    joints, pixels, drift, turning, ending = weights
    near, far_off = limits
    total = 0.0
    for f in range(len(places)):
        depth = max(place[f, 2], np.float32(0.3))
        for j in range(24):
            x = places[f, j, 0] - relative[f, j, 0]
            y = places[f, j, 1] - relative[f, j, 1]
            z = places[f, j, 2] - relative[f, j, 2]
            far = math.sqrt(x * x + y * y + z * z)
            total += joints * weight[f, j] * far
            if far > 0:
                pull = joints * weight[f, j] / far
                to_places[f, j, 0] += pull * x
                to_places[f, j, 1] += pull * y
                to_places[f, j, 2] += pull * z
            x, y, z = turn[f, j]
            total += turning * (x * x + y * y + z * z)
            to_turn[f, j, 0] += 2 * turning * x
            to_turn[f, j, 1] += 2 * turning * y
            to_turn[f, j, 2] += 2 * turning * z
        for k in range(33):
            x = places[f, 24 + k, 0] + place[f, 0] + shift[f, 0] * depth
            y = places[f, 24 + k, 1] + place[f, 1] + shift[f, 1] * depth
            z = places[f, 24 + k, 2] + place[f, 2] + shift[f, 2] * depth
            ahead = max(z, np.float32(0.1))
            u, v = (x / ahead - seen[f, k, 0]) * depth, (y / ahead - seen[f, k, 1]) * depth
            off = math.sqrt(u * u + v * v)
            if off < near:
                total += pixels * trust[f, k] * off * off / (2 * near)
                pull = pixels * trust[f, k] / near
            elif off < far_off:
                total += pixels * trust[f, k] * (off - near / 2)
                pull = pixels * trust[f, k] / off
            else:
                total += pixels * trust[f, k] * (far_off - near / 2 + far_off * math.log(off / far_off))
                pull = pixels * trust[f, k] * far_off / (off * off)
            to_x, to_y = pull * u * depth / ahead, pull * v * depth / ahead
            to_z = -(to_x * x + to_y * y) / ahead if z >= 0.1 else np.float32(0)
            to_places[f, 24 + k, 0] += to_x
            to_places[f, 24 + k, 1] += to_y
            to_places[f, 24 + k, 2] += to_z
            to_shift[f, 0] += to_x * depth
            to_shift[f, 1] += to_y * depth
            to_shift[f, 2] += to_z * depth
        total += drift * (shift[f, 2] * depth) ** 2
        to_shift[f, 2] += 2 * drift * shift[f, 2] * depth * depth
        for e in range(len(ends)):
            for row in range(3):
                for column in range(3):
                    away = rotations[f, ends[e], row, column] - kept[f, e, row, column]
                    total += ending * away * away
                    to_rotations[f, ends[e], row, column] += 2 * ending * away
    return total


def _unrest(
    places: Any, shift: Any, to_places: Any, to_shift: Any, place: Any, stands: Any, soles: Any, aside: Any, slide: Any
) -> float:
    """Cost of acceleration, and of standing soles that slide. Adds its gradient to what begins with `to_`."""
    total, frames = 0.0, len(places)
    if frames < 3:
        return total
    root, to_root = np.empty((frames, 3), np.float32), np.zeros((frames, 3), np.float32)
    for f in range(frames):
        for a in range(3):
            root[f, a] = place[f, a] + shift[f, a] * max(place[f, 2], np.float32(0.3))
    bend, pull = np.empty(3, np.float32), np.empty(3, np.float32)
    for f in range(frames - 2):
        for j in range(24):
            for a in range(3):
                before, at = places[f, j, a] + root[f, a], places[f + 1, j, a] + root[f + 1, a]
                bend[a] = (places[f + 2, j, a] + root[f + 2, a] - at) - (at - before)
            far = math.sqrt(bend[0] * bend[0] + bend[1] * bend[1])
            total += aside * (2 * far + abs(bend[2]))
            scale = 2 * aside / far if far > 0 else np.float32(0)
            pull[0], pull[1], pull[2] = scale * bend[0], scale * bend[1], aside * np.sign(bend[2])
            for a in range(3):
                to_places[f, j, a] += pull[a]
                to_places[f + 1, j, a] -= 2 * pull[a]
                to_places[f + 2, j, a] += pull[a]
                to_root[f, a] += pull[a]
                to_root[f + 1, a] -= 2 * pull[a]
                to_root[f + 2, a] += pull[a]
    for f in range(frames - 1):
        for s in range(len(soles)):
            k = soles[s]
            for a in range(3):
                bend[a] = (places[f + 1, k, a] + root[f + 1, a]) - (places[f, k, a] + root[f, a])
            far = math.sqrt(bend[0] * bend[0] + bend[1] * bend[1] + bend[2] * bend[2])
            total += slide * stands[f, s] * far
            scale = slide * stands[f, s] / far if far > 0 else np.float32(0)
            for a in range(3):
                to_places[f + 1, k, a] += scale * bend[a]
                to_places[f, k, a] -= scale * bend[a]
                to_root[f + 1, a] += scale * bend[a]
                to_root[f, a] -= scale * bend[a]
    for f in range(frames):
        for a in range(3):
            to_shift[f, a] += to_root[f, a] * max(place[f, 2], np.float32(0.3))
    return total


def _off_floor(
    places: Any, shift: Any, to_places: Any, to_shift: Any, place: Any,
    up: Any, level: Any, clearance: Any, held: Any, over: Any, tiptoe: Any, soles: Any, weights: Any,
) -> float:  # fmt: skip
    """Cost of feet off the floor, as `Footing.cost`. Adds its gradient to what begins with `to_`."""
    floats, sinks, flat = weights
    frames, total = len(places), 0.0
    above, to_above = np.empty(4, np.float32), np.empty(4, np.float32)
    for f in range(frames):
        depth = max(place[f, 2], np.float32(0.3))
        for s in range(4):
            above[s], to_above[s] = -level[f] - clearance[s], 0
            for a in range(3):
                above[s] += up[a] * (places[f, soles[s], a] + place[f, a] + shift[f, a] * depth)
        lowest = 0
        for s in range(4):
            if above[s] < above[lowest]:
                lowest = s
        if above[lowest] < 0:  # the deepest sole is what sinks
            scale = sinks * over[f] / frames
            total -= scale * above[lowest]
            to_above[lowest] -= scale
        for side in range(2):  # soles: left heel, right heel, left toes, right toes
            heel, toe = above[side], above[side + 2]
            lower = side if heel < toe else side + 2
            scale = floats * max(held[f, side], held[f, side + 2]) / (2 * frames)
            total += scale * abs(above[lower])
            to_above[lower] += scale * np.sign(above[lower])
            tilt = heel - toe
            if abs(tilt) < tiptoe[f, side]:
                scale = flat * min(held[f, side], held[f, side + 2]) / (2 * frames)
                total += scale * abs(tilt)
                to_above[side] += scale * np.sign(tilt)
                to_above[side + 2] -= scale * np.sign(tilt)
        for s in range(4):
            for a in range(3):
                to_places[f, soles[s], a] += to_above[s] * up[a]
                to_shift[f, a] += to_above[s] * up[a] * depth
    return total
