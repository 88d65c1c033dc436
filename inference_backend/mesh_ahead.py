"""The mesh stream's meshes (equation 3), made and kept by a thread of their own while the target pose is being fitted.

They depend on nothing that the fit finds, and the fit uses one core and no disk. A few batches wait at most, so memory
does not grow with the clip.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Final

import torch
from torch import Tensor

from .solve import Solver, Streams

BATCH: Final = 64
"""Frames of vertices made at once. Another number may change the last bit of them."""

AHEAD: Final = 5
"""Batches that wait at most: 50 MB of the default body."""


@dataclass(frozen=True, eq=False)
class MeshBatch:
    """The mesh stream in frames [start, stop). Camera frame, metres."""

    start: int
    stop: int
    pose: Tensor
    """(n, 24, 3, 3) relative to the parent joint."""
    vertices: Tensor
    """(n, N, 3)"""
    joints: Tensor
    """(n, 24, 3)"""
    translation: Tensor
    """(n, 3)"""


class MeshesAhead:
    """Meshes of several people, one after the other. A context: leaving it ends the thread."""

    def __init__(
        self, people: Sequence[tuple[Solver, Streams]], starts: Sequence[int], keep: Callable[[int, MeshBatch], None]
    ) -> None:
        """Of people.

        Args:
            people: whoever has meshes.
            starts: the first frame wanted of each.
            keep: called by the thread with a person's number and each of their batches, before it is handed out.
        """
        self._people, self._starts, self._keep = people, starts, keep
        self._ready: Queue[MeshBatch | BaseException] = Queue(AHEAD)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meshes", daemon=True)

    def __enter__(self) -> MeshesAhead:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        while self._thread.is_alive():
            with suppress(Empty):
                self._ready.get_nowait()
            self._thread.join(0.01)

    def of(self, person: int) -> Iterator[MeshBatch]:
        """The next person's batches; to be taken for all, in order. Raises what making or keeping them raised."""
        for _ in self._batches(person):
            made = self._ready.get()
            if isinstance(made, BaseException):
                raise made
            yield made

    def _batches(self, person: int) -> Iterator[tuple[int, int]]:
        count = len(self._people[person][1].seconds)
        return ((start, min(start + BATCH, count)) for start in range(self._starts[person], count, BATCH))

    @torch.no_grad()
    def _run(self) -> None:
        try:
            for person, (solver, streams) in enumerate(self._people):
                for start, stop in self._batches(person):
                    pose = streams.mesh.pose[start:stop]
                    batch = MeshBatch(start, stop, pose, *solver.mesh_vertices(streams, start, stop))
                    self._keep(person, batch)
                    self._put(batch)
                    if self._ended.is_set():
                        return
        except Exception as error:  # whoever waits for the batch raises it
            self._put(error)

    def _put(self, made: MeshBatch | BaseException) -> None:
        while not self._ended.is_set():
            with suppress(Full):
                self._ready.put(made, timeout=0.05)
                return
