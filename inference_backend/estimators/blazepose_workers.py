"""BlazePose over a clip, in this process or in several (`blazepose_team`), each doing blocks of the clip's runs.

The result is the same for any number of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import Final

from ..errors import BackendError
from . import FramePoses
from .blazepose import BlazePose, BlazePoseSettings
from .blazepose_runs import RUN_FRAMES, Block, FrameSource, RunJoiner, RunPoses, block_poses, plan_blocks
from .blazepose_team import Failure, PoseTeam

CLIP_SETTINGS: Final = BlazePoseSettings(mask_every=15)
"""How people are followed in clips: a body's shape needs a few masks only."""


def clip_settings(estimator: str) -> BlazePoseSettings:
    """How a solve preset's `estimator` follows people in clips."""
    return replace(CLIP_SETTINGS, landmark_model="full" if estimator == "blazepose_full" else "heavy")


def estimate_clip(
    source: FrameSource,
    count: int,
    workers: int = 1,
    settings: BlazePoseSettings = CLIP_SETTINGS,
    *,
    start: int = 0,
    before: Iterable[FramePoses] = (),
    thumbnail_every: int = 0,
    team: PoseTeam | None = None,
) -> Generator[FramePoses, None, None]:
    """Everyone in a clip, frame by frame, in order. Closing the generator (or an exception in it) ends the workers.

    Args:
        source: the clip; called in the workers.
        count: number of frames of the clip.
        workers: processes; 1 does the work in this one. The result is the same for any number.
        start: position to go on from, a multiple of `RUN_FRAMES` or the clip's end.
        before: the frames before `start`, as found earlier. All of them: else the numbers of people who left are
            given again. The last run of them is done once more, for the people with whom it goes on.
        thumbnail_every: give thumbnails of every so many frames of the clip, from its first on; 0: of none.
        team: processes of this source and these settings that may have been started already.

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
    blocks = plan_blocks(start, count, workers, thumbnail_every)
    last = next(_here(source, [Block(start - RUN_FRAMES, start)], settings), None) if start else None
    joiner = RunJoiner(settings.patience, before, last)
    alone = workers == 1 or (len(blocks) == 1 and team is None)
    with PoseTeam(source, settings) if team is None else team as members:
        if not alone:
            members.start(min(workers, len(blocks)))
        with contextlib.closing(_here(source, blocks, settings) if alone else members.runs(blocks)) as runs:
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
                raise Failure.of(error).error() from error
            if run is None:
                break
            yield run
