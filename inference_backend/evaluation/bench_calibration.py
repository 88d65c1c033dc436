"""Frames per second of calibration, beside linear blend skinning (smplx) and the copy of a mesh, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..body import load_default_body
from ..calibration import bone_rotations, calibrate, calibrate_plain, initial_weights
from ..calibration_rotations import segment_rotations
from ..geometry import axis_angle_to_matrix
from ..skeletons import PARENTS, POINT_JOINTS

_ROUNDS = 15


@dataclass(frozen=True)
class Timing:
    """One row of the table."""

    name: str
    """What ran."""
    vertex_count: int
    """N of the mesh."""
    frames_per_second: float
    """Of the median round."""
    times_lbs: float | None
    """How many times the frames of `smplx.lbs.lbs`; None where smplx is not installed."""


@dataclass(frozen=True)
class _Case:
    """A batch to calibrate, all on the CPU in float32."""

    vertices: Tensor
    """(B, N, 3)"""
    joints: Tensor
    """(B, 24, 3) of the mesh stream."""
    target: Tensor
    """(B, 24, 3)"""
    points: Tensor
    """(B, 11, 3) of the mesh stream."""
    target_points: Tensor
    """(B, 11, 3)"""
    skinning: Tensor
    """(N, 24)"""
    rest: Tensor
    """(N, 3)"""
    rest_joints: Tensor
    """(24, 3)"""


def run(batch: int = 64, vertex_counts: tuple[int, ...] = (6890, 13718)) -> tuple[Timing, ...]:
    """Print frames per second with as many threads as torch uses now (`torch.set_num_threads`), and return the rows.

    The mesh is the default body; smaller ones are an even choice of its vertices with their weights. "4 a vertex"
    gives every vertex four random segments. Each round runs every row once, so that other load hits all alike.
    """
    rows: list[Timing] = []
    print(f"{batch} frames, {torch.get_num_threads()} threads, median of {_ROUNDS} rounds; frames/s (times lbs)")
    with torch.no_grad():
        for count in vertex_counts:
            found = _time(_routines(_case(batch, count)), batch)
            lbs = found.get("lbs (smplx)")
            print(f"N = {count}")
            for name, speed in found.items():
                row = Timing(name, count, speed, None if lbs is None else speed / lbs)
                rows.append(row)
                print(f"  {name:32}{speed:12.0f}" + ("" if row.times_lbs is None else f"{row.times_lbs:8.1f}"))
            if lbs is None:
                print("  lbs: smplx is not installed (the dev group has it)")
    return tuple(rows)


def _case(batch: int, count: int) -> _Case:
    body = load_default_body()
    seeded = torch.Generator().manual_seed(0)
    chosen = torch.linspace(0, body.vertex_count - 1, count).long()
    noise = 0.3 * torch.randn(2, batch, 24, 3, generator=seeded)
    root = torch.tensor([0.0, 0.0, 5.0]).expand(batch, 3)
    betas = torch.zeros(1, body.shape_count)
    hmr = body.pose(axis_angle_to_matrix(noise[0]), betas, root)
    target = body.pose(axis_angle_to_matrix(noise[0] + noise[1]), betas, root)
    offsets = 0.1 * torch.randn(len(POINT_JOINTS), 3, generator=seeded)
    carriers = list(POINT_JOINTS)
    points = [
        pose.joints[:, carriers] + (pose.global_rotations[:, carriers] @ offsets[:, :, None])[..., 0]
        for pose in (hmr, target)
    ]
    return _Case(
        vertices=hmr.vertices[:, chosen].contiguous(),
        joints=hmr.joints,
        target=target.joints,
        points=points[0],
        target_points=points[1],
        skinning=body.weights[chosen],
        rest=body.template[chosen],
        rest_joints=body.rest(betas)[1][0],
    )


def _routines(case: _Case) -> dict[str, Callable[[], Any]]:
    values, skin_index = case.skinning.topk(4, dim=1)
    weights = initial_weights(case.rest, case.rest_joints, skin_index, values)
    seeded = torch.Generator().manual_seed(0)
    count = len(case.rest)
    random_index = torch.rand(count, 24, generator=seeded).topk(4, dim=1).indices
    dense = initial_weights(case.rest, case.rest_joints, random_index, torch.full((count, 4), 0.25))
    trained = weights.A.clone().requires_grad_()
    with_gradient = type(weights)(weights.index, trained, weights.W)
    streams = case.vertices, case.joints, case.target
    pose = case.joints, case.target

    def with_points() -> Tensor:
        rotations = bone_rotations(*pose, points_hmr=case.points, points_target=case.target_points)
        return calibrate(*streams, weights, rotations=rotations)

    def in_torch() -> Tensor:
        with torch.enable_grad():
            return calibrate(*streams, with_gradient)

    return {
        **_lbs(case),
        "plain (equations 12, 13)": lambda: calibrate_plain(*streams, weights),
        "calibrate, bone": lambda: calibrate(*streams, weights, form="bone"),
        "calibrate, torso": lambda: calibrate(*streams, weights, form="torso"),
        "calibrate, chain": lambda: calibrate(*streams, weights, form="chain"),
        "calibrate, chain, points": with_points,
        "calibrate, chain, 4 a vertex": lambda: calibrate(*streams, dense),
        "calibrate, chain, with gradient": in_torch,
        "rotations only, chain": lambda: segment_rotations(*pose, bone_rotations(*pose)),
        "copy of the mesh": case.vertices.clone,
    }


def _lbs(case: _Case) -> dict[str, Callable[[], Any]]:
    """SMPL's own routine with its 10 betas and 207 pose directions, the mesh stream's usual last step."""
    try:
        from smplx.lbs import lbs
    except ImportError:
        return {}
    count, batch = len(case.rest), len(case.vertices)
    seeded = torch.Generator().manual_seed(0)
    betas, pose = torch.randn(batch, 10, generator=seeded), torch.randn(batch, 72, generator=seeded)
    shapedirs = torch.randn(count, 3, 10, generator=seeded)
    posedirs = torch.randn(207, 3 * count, generator=seeded)
    regressor = torch.rand(24, count, generator=seeded)
    parents = torch.tensor(PARENTS)
    rest = case.rest[None]
    return {
        "lbs (smplx)": lambda: lbs(betas, pose, rest, shapedirs, posedirs, regressor, parents, case.skinning),
    }


def _time(routines: dict[str, Callable[[], Any]], batch: int) -> dict[str, float]:
    """Frames per second of each routine in its median round; what must compile has done so before."""
    for routine in routines.values():
        routine()
    seconds: dict[str, list[float]] = {name: [] for name in routines}
    for _ in range(_ROUNDS):
        for name, routine in routines.items():
            start = time.perf_counter()
            routine()
            seconds[name].append(time.perf_counter() - start)
    return {name: batch / sorted(each)[len(each) // 2] for name, each in seconds.items()}


if __name__ == "__main__":
    run()
