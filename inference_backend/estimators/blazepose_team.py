"""The processes that do blocks of a clip's runs (`blazepose_runs`).

Blocks come back run by run and are given out in order; a worker gets its next block only while few are ahead, so memory
does not grow with the clip. Each worker has its own pipe: one that dies closes it, and closing the parent's ends (or
its death) ends the workers. They are spawned, not forked, on every system.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import traceback
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final

import cv2

from ..errors import KINDS, BackendError, Internal, OutOfMemory
from .blazepose import BlazePose, BlazePoseSettings
from .blazepose_runs import Block, FrameSource, RunPoses, block_poses

STOP_SECONDS: Final = 2.0
"""How long a worker is waited for before it is killed."""


@dataclass(frozen=True)
class Failure:
    """An exception on its way from a worker."""

    kind: str
    message: str
    hint: str
    facts: dict[str, Any]

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """The named error for any exception."""
        trace = "".join(traceback.format_exception(error))
        if isinstance(error, BackendError):
            return cls(error.kind, error.message, error.hint, error.facts)
        if isinstance(error, MemoryError):
            hint = "Use fewer workers."
            return cls(OutOfMemory.__name__, "a pose worker ran out of memory", hint, {"traceback": trace})
        message = f"a pose worker failed: {type(error).__name__}: {error}"
        return cls(Internal.__name__, message, "Report this with the log.", {"traceback": trace})

    def error(self) -> BackendError:
        """What the parent raises."""
        return KINDS[self.kind](self.message, hint=self.hint, **self.facts)


class _ParentGone(Exception):
    """The parent's end of the pipe is closed. (Not EOFError: a decoder may raise that, too.)"""


class _Channel:
    """The worker's end of its pipe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def receive(self) -> Block:
        try:
            block: Block = self._connection.recv()
        except (EOFError, OSError) as error:
            raise _ParentGone from error
        return block

    def send(self, message: RunPoses | Failure | None) -> None:
        try:
            self._connection.send(message)
        except OSError as error:
            raise _ParentGone from error


class PoseTeam:
    """Processes for one clip. A context: leaving it ends them."""

    def __init__(self, source: FrameSource, settings: BlazePoseSettings) -> None:
        """`source`: the clip; called in the processes."""
        self.source, self.settings = source, settings
        self._members: dict[Connection, BaseProcess] = {}

    def __enter__(self) -> PoseTeam:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, count: int) -> None:
        """Have so many processes at least. They load the networks now, and then wait for work."""
        context = multiprocessing.get_context("spawn")
        while len(self._members) < count:
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, self.source, self.settings), daemon=True)
            with _interrupts_held_back():
                process.start()
            theirs.close()
            self._members[ours] = process

    def runs(self, blocks: Sequence[Block]) -> Generator[RunPoses, None, None]:
        """The runs of all blocks in order. Raises what a process has failed with; Internal where it has died."""
        doing: dict[Connection, int] = {}  # block number
        finished: set[int] = set()
        waiting: dict[int, list[RunPoses]] = {number: [] for number in range(len(blocks))}
        given = current = 0
        while current < len(blocks):
            for connection in self._members:
                if connection not in doing and given < min(len(blocks), current + 2 * len(self._members)):
                    with contextlib.suppress(OSError):  # it has died: then receiving says how
                        connection.send(blocks[given])
                    doing[connection] = given
                    given += 1
            for ready in wait(list(doing)):
                connection = next(one for one in doing if one is ready)
                message = _received(connection, self._members[connection])
                if message is None:
                    finished.add(doing.pop(connection))
                else:
                    waiting[doing[connection]].append(message)
            while current < len(blocks):
                yield from waiting.pop(current)
                waiting[current] = []
                if current not in finished:
                    break
                del waiting[current]
                current += 1

    def close(self) -> None:
        """End the processes."""
        for connection in self._members:
            connection.close()
        for worker in self._members.values():
            worker.terminate()
        for worker in self._members.values():
            worker.join(STOP_SECONDS)
            if worker.is_alive():
                worker.kill()
                worker.join()
        self._members = {}


def _work(connection: Connection, source: FrameSource, settings: BlazePoseSettings) -> None:
    """A worker's life: blocks in, runs out, None after each block; ends when the parent's end of the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told as well, and ends us
    cv2.setNumThreads(1)
    channel = _Channel(connection)
    with contextlib.suppress(_ParentGone):
        try:
            pose = BlazePose(settings)
            while True:
                for run in block_poses(source, channel.receive(), pose):
                    channel.send(run)
                channel.send(None)
        except _ParentGone:
            raise
        except Exception as error:
            channel.send(Failure.of(error))


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes started in this block never hear of Ctrl-C, not even before `_work` says so; we do after it."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # otherwise the first process starts it, which lets signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _received(connection: Connection, process: BaseProcess) -> RunPoses | None:
    """A worker's next message: a run, or None when its block is done. Raises what it failed with."""
    try:
        message = connection.recv()
    except (EOFError, OSError) as error:
        process.join(STOP_SECONDS)  # for its exit code
        raise Internal(
            f"a pose worker died with exit code {process.exitcode}",
            hint="The machine may be out of memory: use fewer workers.",
            exit_code=process.exitcode,
        ) from error
    if isinstance(message, Failure):
        raise message.error()
    if message is not None and not isinstance(message, RunPoses):
        raise TypeError(f"a worker sends runs, found {type(message).__name__}")
    return message
