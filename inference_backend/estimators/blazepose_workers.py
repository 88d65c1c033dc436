"""BlazePose in several processes, each doing blocks of a clip's runs (`blazepose_runs`).

The result is the same for any number of workers. Blocks come back run by run and are given out in order; a worker
gets its next block only while few are ahead, so memory does not grow with the clip. Each worker has its own pipe:
one that dies closes it, and closing the parent's ends (or its death) ends the workers. They are spawned, not
forked, on every system.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import traceback
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final

import cv2

from ..errors import KINDS, BackendError, Internal, OutOfMemory
from . import FramePoses
from .blazepose import BlazePose, BlazePoseSettings
from .blazepose_runs import RUN_FRAMES, Block, FrameSource, RunJoiner, RunPoses, block_poses, plan_blocks

CLIP_SETTINGS: Final = BlazePoseSettings(mask_every=15)
"""How people are followed in clips: a body's shape needs a few masks only."""

STOP_SECONDS: Final = 2.0
"""How long a worker is waited for before it is killed."""


def estimate_clip(
    source: FrameSource,
    count: int,
    workers: int = 1,
    settings: BlazePoseSettings = CLIP_SETTINGS,
    *,
    start: int = 0,
    before: Iterable[FramePoses] = (),
) -> Generator[FramePoses, None, None]:
    """Everyone in a clip, frame by frame, in order. Closing the generator (or an exception in it) ends the workers.

    Args:
        source: the clip; called in the workers.
        count: number of frames of the clip.
        workers: processes; 1 does the work in this one. The result is the same for any number.
        start: position to go on from, a multiple of `RUN_FRAMES` or the clip's end.
        before: the frames before `start`, as found earlier. All of them: else the numbers of people who left are
            given again. The last run of them is done once more, for the people with whom it goes on.

    Raises:
        WeightsMissing, WeightsCorrupt: the models are not installed.
        BackendError: whatever the source raised, under its own kind.
        OutOfMemory: a worker ran out of memory.
        Internal: a worker died, or anything else was raised.
    """
    if start < 0 or workers < 1:
        raise ValueError(f"start must be >= 0 and workers >= 1, found {start} and {workers}")
    if start >= count:
        return
    blocks = plan_blocks(start, count, workers)
    last = next(_here(source, [Block(start - RUN_FRAMES, start)], settings), None) if start else None
    joiner = RunJoiner(settings.patience, before, last)
    alone = workers == 1 or len(blocks) == 1
    runs = _here(source, blocks, settings) if alone else _parallel(source, blocks, workers, settings)
    with contextlib.closing(runs):
        for run in runs:
            yield from joiner.join(run)


def _here(source: FrameSource, blocks: list[Block], settings: BlazePoseSettings) -> Generator[RunPoses, None, None]:
    """The runs of all blocks in order, done in this process."""
    pose = BlazePose(settings)
    for block in blocks:
        runs = block_poses(source, block, pose)
        while True:
            try:
                run = next(runs, None)
            except BackendError:
                raise
            except Exception as error:
                raise _Failure.of(error).error() from error
            if run is None:
                break
            yield run


@dataclass(frozen=True)
class _Failure:
    """An exception on its way from a worker."""

    kind: str
    message: str
    hint: str
    facts: dict[str, Any]

    @classmethod
    def of(cls, error: BaseException) -> _Failure:
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

    def send(self, message: RunPoses | _Failure | None) -> None:
        try:
            self._connection.send(message)
        except OSError as error:
            raise _ParentGone from error


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
            channel.send(_Failure.of(error))


def _parallel(
    source: FrameSource, blocks: list[Block], workers: int, settings: BlazePoseSettings
) -> Generator[RunPoses, None, None]:
    """The runs of all blocks in order."""
    context = multiprocessing.get_context("spawn")
    team: dict[Connection, BaseProcess] = {}
    doing: dict[Connection, int] = {}  # block number
    finished: set[int] = set()
    waiting: dict[int, list[RunPoses]] = {number: [] for number in range(len(blocks))}
    given = current = 0
    try:
        for _ in range(min(workers, len(blocks))):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, source, settings), daemon=True)
            with _interrupts_held_back():
                process.start()
            theirs.close()
            team[ours] = process
        while current < len(blocks):
            for connection in team:
                if connection not in doing and given < min(len(blocks), current + 2 * len(team)):
                    with contextlib.suppress(OSError):  # it has died: then receiving says how
                        connection.send(blocks[given])
                    doing[connection] = given
                    given += 1
            for ready in wait(list(doing)):
                connection = next(one for one in doing if one is ready)
                message = _received(connection, team[connection])
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
    finally:
        for connection in team:
            connection.close()
        for worker in team.values():
            worker.terminate()
        for worker in team.values():
            worker.join(STOP_SECONDS)
            if worker.is_alive():
                worker.kill()
                worker.join()


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
    if isinstance(message, _Failure):
        raise message.error()
    if message is not None and not isinstance(message, RunPoses):
        raise TypeError(f"a worker sends runs, found {type(message).__name__}")
    return message
