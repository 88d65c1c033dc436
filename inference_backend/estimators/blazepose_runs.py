"""A clip cut into runs of consecutive frames, which know nothing of each other, and joined again.

Runs are cut by a fixed length, so what they find does not depend on who does them. Each begins with a detection a
few frames ahead of its cut: its lead. The lead's frames are thrown away; they let the regions of interest settle,
and the last one shows who is who across the cut. Whom the next run does not find there, or sees in another pose (in
the middle of a somersault), its predecessor goes on following until it does, but no longer than for that run's frames.

Neighbouring runs form a block, which is read in one go: a seek costs decoding from the last key frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import numpy as np

from ..camera_motion import flattened
from ..tracking import associate, overlaps
from ..video import VideoSource, read
from . import Frame, FramePoses, PersonPose
from .blazepose import BlazePose, Run

RUN_FRAMES: Final = 30
"""Frames from cut to cut."""

LEAD_FRAMES: Final = 1
"""Frames that a run starts ahead of its cut. Jumps at cuts are as small with 1 as with 8."""

SAME_PERSON: Final = 0.6
"""Boxes of two runs that overlap by more than this are of one person."""

BLOCK_RUNS: Final = 10
"""Runs in a block at most."""


class FrameSource(Protocol):
    """A clip that can be read from any frame on; picklable, since every worker opens its own."""

    def __call__(self, start: int, stop: int) -> Iterator[Frame]:
        """The frames at positions start to stop - 1 of the clip (fewer where it ends), one after the other.

        Each comes with the index that results shall carry, and None as image where it cannot be decoded.
        """
        ...


@dataclass(frozen=True)
class VideoFrames:
    """A `FrameSource` of (a part of) a video; position 0 is the part's first frame."""

    source: VideoSource
    """Which frames of which clip."""

    def __call__(self, start: int, stop: int) -> Iterator[Frame]:
        """The frames at positions start to stop - 1, under their indices in the footage."""
        first, step = self.source.start, self.source.step
        end = first + stop * step if self.source.stop is None else min(first + stop * step, self.source.stop)
        for frame in read(replace(self.source, start=first + start * step, stop=end)):
            yield frame.index, frame.image


@dataclass(frozen=True)
class Block:
    """A row of runs that one worker does in one go."""

    start: int
    """Position of its first cut."""
    stop: int
    """Position after its last frame."""
    thumbnail_every: int = 0
    """Thumbnails are wanted of every so many frames of the clip, from its first on; 0: of none."""

    def runs(self) -> list[tuple[int, int]]:
        """Cuts (start, stop) of its runs."""
        return [(cut, min(cut + RUN_FRAMES, self.stop)) for cut in range(self.start, self.stop, RUN_FRAMES)]


@dataclass(frozen=True)
class RunPoses:
    """What one run found."""

    lead: tuple[FramePoses, ...]
    """The last frame before the cut; empty at the clip's start."""
    frames: tuple[FramePoses, ...]
    """The frames from the cut on. Person numbers are the run's own."""
    after: tuple[FramePoses, ...]
    """The frames after them, as far as the run goes on with people: their poses hold, not the next run's."""


def plan_blocks(start: int, stop: int, workers: int, thumbnail_every: int = 0) -> list[Block]:
    """Frames `start` (a multiple of `RUN_FRAMES`) to `stop` - 1 in blocks of like size, as many for each worker."""
    if start % RUN_FRAMES:
        raise ValueError(f"start must be a multiple of {RUN_FRAMES}, found {start}")
    runs = -(-max(stop - start, 0) // RUN_FRAMES)
    rounds = -(-runs // (BLOCK_RUNS * workers))
    cuts = np.linspace(0, runs, min(rounds * workers, runs) + 1).round().astype(int) * RUN_FRAMES + start
    return [Block(int(a), min(int(b), stop), thumbnail_every) for a, b in itertools.pairwise(cuts)]


@dataclass
class _Active:
    """A run at work."""

    cut: int
    stop: int
    run: Run
    seen: list[FramePoses] = field(default_factory=list)
    done: RunPoses | None = None
    """What it found up to `stop`; from then on `seen` is what comes after."""

    def finish(self) -> None:
        """End its own frames."""
        found, lead = self.run.decided(self.seen), min(LEAD_FRAMES, self.cut)
        self.done = RunPoses(tuple(found[max(lead - 1, 0) : lead]), tuple(found[lead:]), ())
        self.seen = []

    def goes_on(self, position: int) -> bool:
        """Whether somebody is followed beyond the clip's frame `position`, which is among those after its own."""
        return self.run.following and position < self.stop + RUN_FRAMES - 1

    def poses(self) -> RunPoses:
        """All that it found."""
        if self.done is None:
            self.finish()
        assert self.done is not None
        return replace(self.done, after=tuple(self.run.decided(self.seen)))


def block_poses(source: FrameSource, block: Block, pose: BlazePose) -> Iterator[RunPoses]:
    """All runs of a block, in order; fewer where the clip ends before the block."""
    pending = [*block.runs(), (block.stop, block.stop)]  # the last is there to be seen ahead only
    active: list[_Active] = []
    first = max(block.start - LEAD_FRAMES, 0)
    every = block.thumbnail_every
    for position, (index, image) in enumerate(source(first, block.stop + RUN_FRAMES), start=first):
        while pending and position >= pending[0][0] - LEAD_FRAMES:
            cut, stop = pending.pop(0)
            active.append(_Active(cut, stop, pose.run(position)))
        thumbnail = None if image is None or not every or position % every else flattened(image)
        for one in active:
            one.seen.append(replace(one.run.step(index, image), thumbnail=thumbnail))
        for one, following in itertools.pairwise(active):
            if position == one.stop - 1:
                one.finish()
            if one.done is not None:
                one.run.leave(following.seen[-1])
        while active[0].done is not None and not active[0].goes_on(position):
            yield active.pop(0).poses()
        if active[0].cut == block.stop:
            return
    for left in active:  # the clip ends
        if left.cut < block.stop:
            yield left.poses()


class RunJoiner:
    """Gives people the same number in all runs, and adds those with whom a run goes on to the next one's frames."""

    def __init__(self, patience: int, before: Iterable[FramePoses] = (), last: RunPoses | None = None) -> None:
        """Begin after the frames `before`.

        Args:
            patience: frames after which someone who was lost counts as someone new.
            before: frames joined earlier. Numbers that do not occur in them are free.
            last: the run to which the last of these frames belong.
        """
        self._patience = patience
        self._position = 0
        self._last: dict[int, tuple[int, PersonPose]] = {}  # person -> where in the clip, and how, last seen
        self._next = 0
        self._after: dict[int, tuple[PersonPose, ...]] = {}  # by index, people of the run before, renamed
        for frame in before:
            for one in frame.people:
                self._last[one.person] = (self._position, one)
                self._next = max(self._next, one.person + 1)
            self._position += 1
        if last is not None:
            numbers: dict[int, int] = {}
            self._position -= 1
            self._match(last.frames[-1].people, numbers)
            self._position += 1
            self._go_on(last, numbers)

    def join(self, run: RunPoses) -> Iterator[FramePoses]:
        """The next run's frames, with the clip's person numbers."""
        numbers: dict[int, int] = {}
        for frame in run.lead:
            self._match(frame.people, numbers)
        for frame in run.frames:
            self._match(frame.people, numbers)
            people = []
            for one in frame.people:
                if one.person not in numbers:
                    numbers[one.person] = self._next
                    self._next += 1
                people.append(replace(one, person=numbers[one.person]))
            people = self._still_there(frame.index, people)
            for one in people:
                self._last[one.person] = (self._position, one)
            self._position += 1
            yield replace(frame, people=tuple(sorted(people, key=lambda one: one.person)))
        self._go_on(run, numbers)

    def _go_on(self, run: RunPoses, numbers: dict[int, int]) -> None:
        """Note whom a run follows into the next one's frames."""
        self._after = {
            frame.index: tuple(replace(one, person=numbers[one.person]) for one in frame.people) for frame in run.after
        }

    def _still_there(self, index: int, people: list[PersonPose]) -> list[PersonPose]:
        """The people of a frame, with those whom the run before goes on to follow as it sees them."""
        after = self._after.get(index, ())
        held = {one.person for one in after}
        people = [one for one in people if one.person not in held]
        if not after or not people:
            return [*people, *after]
        overlap = overlaps(np.stack([one.box for one in after]), np.stack([one.box for one in people]))
        doubles = overlap.max(axis=1) > SAME_PERSON
        return [*people, *(one for one, double in zip(after, doubles, strict=True) if not double)]

    def _match(self, people: tuple[PersonPose, ...], numbers: dict[int, int]) -> None:
        """Find the numbers of people who are new in this run among those seen lately."""
        new = [one for one in people if one.person not in numbers]
        self._last = {n: seen for n, seen in self._last.items() if self._position - seen[0] <= self._patience + 1}
        known = [one for number, (_, one) in self._last.items() if number not in numbers.values()]
        if not new or not known:
            return
        for i, j in associate(np.stack([one.box for one in known]), np.stack([one.box for one in new])):
            numbers[new[j].person] = known[i].person
