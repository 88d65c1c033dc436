"""Meshes made ahead: all of them, kept, in order, few at a time, and no thread that outlives its context."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from inference_backend.errors import DiskFull
from inference_backend.mesh_ahead import AHEAD, BATCH, MeshBatch, MeshesAhead


class Making:
    """A solver of which only the meshes are asked: it numbers them."""

    def __init__(self, person: int, breaks_at: int | None = None) -> None:
        self.person, self.breaks_at = person, breaks_at
        self.made: list[int] = []

    def mesh_vertices(self, streams: Any, start: int, stop: int) -> tuple[torch.Tensor, ...]:
        if start == self.breaks_at:
            raise MemoryError("no room")
        self.made.append(start)
        rows = torch.arange(start, stop) + 1000 * self.person
        return rows[:, None, None].expand(-1, 5, 3), rows, rows


class Clip:
    def __init__(self, frames: int) -> None:
        self.seconds = np.arange(frames) / 30
        self.mesh = SimpleNamespace(pose=torch.arange(frames))


def ahead(
    makers: list[Making],
    frames: list[int],
    starts: list[int],
    keep: Callable[[int, MeshBatch], None] = lambda *_: None,
) -> MeshesAhead:
    return MeshesAhead(list(zip(makers, map(Clip, frames), strict=True)), starts, keep)  # type: ignore[arg-type]


def threads() -> int:
    return sum(thread.name == "meshes" for thread in threading.enumerate())


def test_everyones_frames_in_order() -> None:
    with ahead([Making(0), Making(1), Making(2)], [BATCH * 2 + 5, BATCH, 3], [BATCH, BATCH, 0]) as meshes:
        rows = [[int(row) for batch in meshes.of(person) for row in batch.joints] for person in range(3)]
    assert rows == [list(range(BATCH, BATCH * 2 + 5)), [], [2000, 2001, 2002]]
    assert threads() == 0


def test_everything_is_kept_before_it_is_handed_out() -> None:
    kept: list[tuple[int, int, int]] = []

    def keep(person: int, batch: MeshBatch) -> None:
        assert threading.current_thread().name == "meshes"
        assert batch.pose.tolist() == list(range(batch.start, batch.stop))
        time.sleep(0.01)
        kept.append((person, batch.start, batch.stop))

    with ahead([Making(0), Making(1)], [BATCH * 2 + 5, 3], [BATCH, 0], keep) as meshes:
        for person in range(2):
            for batch in meshes.of(person):
                assert (person, batch.start, batch.stop) in kept
    assert kept == [(0, BATCH, BATCH * 2), (0, BATCH * 2, BATCH * 2 + 5), (1, 0, 3)]


def test_what_keeping_raises_is_raised_where_it_is_taken() -> None:
    def full(person: int, batch: MeshBatch) -> None:
        if batch.start:
            raise DiskFull("no space", hint="Free some.")

    with ahead([Making(0)], [BATCH * 3], [0], full) as meshes:
        taken = meshes.of(0)
        assert next(taken).start == 0
        with pytest.raises(DiskFull):
            next(taken)
    assert threads() == 0


def test_few_wait() -> None:
    maker = Making(0)
    with ahead([maker], [BATCH * 40], [0]) as meshes:
        taken = meshes.of(0)
        next(taken)
        until = time.monotonic() + 10
        while len(maker.made) < AHEAD + 2 and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.1)
        assert len(maker.made) <= AHEAD + 2  # taken, waiting, and one that finds no place
    assert threads() == 0


def test_left_early_it_ends() -> None:
    maker = Making(0)
    with ahead([maker], [BATCH * 1000], [0]) as meshes:
        next(meshes.of(0))
    assert threads() == 0
    assert len(maker.made) < 100


def test_what_making_raises_is_raised_where_it_is_taken() -> None:
    with ahead([Making(0, breaks_at=BATCH)], [BATCH * 3], [0]) as meshes:
        taken = meshes.of(0)
        assert next(taken).start == 0
        with pytest.raises(MemoryError, match="no room"):
            next(taken)
    assert threads() == 0
