"""Everyone of a clip in one world: both streams of each, the floor that they stand on, and then the target poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .fit import Fitted
from .footing import Footing, tiptoes
from .ground import Ground, Stander, find_ground, rest_on_levels, resting_places
from .levels import REACH
from .sightings import mean_fps
from .solve import PersonSolve, Solver, Streams, Tick
from .upright import AXIS_ERROR, Array
from .world import World


@dataclass(frozen=True, eq=False)
class Placed:
    """The people of a clip in one world, their target poses not yet looked for."""

    solvers: tuple[Solver, ...]
    """Of each person's height."""
    streams: tuple[Streams, ...]
    """Both streams of each, at that height."""
    footings: tuple[Footing, ...]
    """What is under the feet of each."""
    world: World
    """Where they are."""

    def targets(self, tick: Tick) -> tuple[PersonSolve, ...]:
        """Streams and target poses."""
        people = zip(self.solvers, self.streams, self.footings, strict=True)
        return tuple(solver.target(streams, footing, tick) for solver, streams, footing in people)


def on_one_floor(
    solvers: Sequence[Solver], streams: Sequence[Streams], given: bool, tick: Tick = lambda *_: None
) -> Placed:
    """People who stand on one floor.

    Args:
        solvers: of each person's height. streams: what they made.
        given: whether somebody told the heights. Else the feet correct them: who stands on the floor is as tall as
            that takes, and all together are as tall as their solvers say.
    """
    settled = [solver.settled(one, tick) for one, solver in zip(streams, solvers, strict=True)]
    people = zip(streams, settled, solvers, strict=True)
    ground = find_ground([_stander(one, pose, solver.preset.height, given) for one, pose, solver in people])
    solvers, streams, footings = list(solvers), list(streams), []
    for k, scale in enumerate(ground.scales):
        if scale != 1:
            solvers[k] = solvers[k].of_height(solvers[k].preset.height * scale)
            streams[k] = solvers[k].resized(streams[k], scale)
        streams[k] = solvers[k].upright(streams[k], ground.world.up_cam)
        person = _stander(streams[k], settled[k], solvers[k].preset.height, given, scale, with_cut=True)
        clearance = solvers[k].sole_clearance(streams[k].betas)
        footings.append(_footing(person, ground, ground.on_floor[k], clearance))
    return Placed(tuple(solvers), tuple(streams), tuple(footings), ground.world)


def on_known_floor(solver: Solver, streams: Streams, matrix: Array, tick: Tick) -> PersonSolve:
    """The target pose of one person in a world that is known. Shape: matrix (4, 4) camera frame → Blender's world."""
    world = World(matrix, matrix[2, :3], float(matrix[2, 3]), 0.0, AXIS_ERROR, ())
    settled = solver.settled(streams, tick)
    streams = solver.upright(streams, world.up_cam)
    person = _stander(streams, settled, solver.preset.height, True, with_cut=True)
    heights = resting_places(person, world.up_cam) @ world.up_cam + world.floor_offset
    on_floor = bool((np.abs(heights) < REACH).any())
    ground = Ground(world, (1.0,), (on_floor,))
    footing = _footing(person, ground, on_floor, solver.sole_clearance(streams.betas))
    return solver.target(streams, footing, tick)


def _stander(
    streams: Streams, settled: Fitted, height: float, given: bool, scale: float = 1.0, *, with_cut: bool = False
) -> Stander:
    """A person as the floor is looked for, in the settled pose. Where legs are cut off, that may be `with_cut` frames,
    as the streams have them by now, or without; `scale` is the streams' of what was settled."""
    weights = streams.seen.confidence.mean(1).numpy()
    cut = np.zeros(len(weights), bool) if streams.whole is None else streams.whole.cut.any(1)
    joints, points = (scale * places.numpy() for places in (settled.joints, settled.points))
    if with_cut:
        joints[cut], points[cut] = streams.joints.numpy()[cut], streams.points.numpy()[cut]
    return Stander(
        joints=joints,
        points=points,
        weights=weights if with_cut or cut.all() else np.where(cut, 0, weights),
        standing=streams.standing.numpy(),
        fps=mean_fps(streams.seconds),
        height=height,
        given=given,
    )


def _footing(person: Stander, ground: Ground, on_floor: bool, clearance: Tensor) -> Footing:
    """What is under a person's feet, as the fit wants it."""
    height, held, over = rest_on_levels(person, ground, on_floor)
    level = height - ground.world.floor_offset
    up, level_, held_, over_ = (
        torch.tensor(array, dtype=torch.float32) for array in (ground.world.up_cam, level, held, over)
    )
    return Footing(up, level_, clearance, held_, over_, tiptoes(held_, person.fps))
