"""Doubtful frames are looked at again with turned regions of interest, and what goes together over time is kept.

The landmark model was made for bodies that stand upright in their region of interest (ROI). In a somersault or on all
fours the ROI easily turns the wrong way: then the model gives a body that stands on its head, or legs for arms, with
hardly less presence, and as the next ROI follows from it, it goes on like that.

So wherever the model is unsure, or the body far from upright in the picture, it looks again at the ROI in other turns,
and once more where each of these leads it. Of all poses of consecutive doubtful frames those are kept that go together
(`pose_chain`).

With so many looks, a table's leg becomes a person sometimes: only who was surely seen before is looked at again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy.typing as npt

from .blazepose_detector import ROI_SCALE, Roi
from .blazepose_landmarks import PoseLandmarks
from .pose_chain import Chain, same_pose

SURE: Final = 0.98
"""Presence below which a pose is doubtful."""

TURNED: Final = 1.0
"""Angle of the body against the picture's upright, rad, from which on its pose is doubtful."""

KNOWN: Final = 3
"""Frames in a row in which somebody is surely a person, after which they are looked at again. Things that look a little
like one have been seen to be it once, never twice in a row; people are after 5 frames, gymnasts too (means)."""

KNOWN_PRESENCE: Final = 0.995
"""Presence in each of them."""

TURNS: Final = tuple(math.radians(degrees) for degrees in (45, -45, 180, 90, -90))
"""The other turns of an ROI. Without the last two a tenth of the gain is lost; more of them give nothing."""

REACH: Final = 0.4
"""How far from the ROI's centre the same person's may be in another turn, in its sides."""

WITHIN: Final = 0.8
"""Share of the landmarks that lie in the picture, unless its edge cuts the body."""

LONGEST: Final = 90
"""Frames after which a chain is decided even though it goes on."""

Look = Callable[[Roi], PoseLandmarks | None]
"""The landmark model on an ROI of one frame."""


def doubtful(pose: PoseLandmarks) -> bool:
    """Whether a pose may be one of a wrongly turned ROI."""
    return pose.presence < SURE or abs(pose.next_roi.angle) > TURNED


def within(landmarks: npt.NDArray[Any], width: int, height: int) -> bool:
    """Whether a body is in the picture rather than cut by its edge, in which case other turns make no sense of it.

    `landmarks`: (33, ≥2) px.
    """
    inside = (landmarks[:, :2] >= 0).all(axis=1) & (landmarks[:, :2] < (width, height)).all(axis=1)
    return float(inside.mean()) >= WITHIN


def views(
    look: Look, roi: Roi, first: PoseLandmarks | None, rivals: Sequence[Roi], *, turned: bool
) -> list[PoseLandmarks]:
    """What the model makes of one person in one frame, each pose once.

    Args:
        roi: where the person is expected.
        first: what was seen there, which becomes the first view; None where nobody was.
        rivals: where else the person may be expected.
        turned: look at the other turns of `roi`, too.
    """
    found: list[PoseLandmarks] = [] if first is None else [first]

    def add(pose: PoseLandmarks | None) -> None:
        if pose is not None and _near(pose.next_roi, roi) and not any(same_pose(pose, other) for other in found):
            found.append(pose)

    for rival in rivals:
        add(look(rival))
    if turned:
        if first is not None:
            add(look(first.next_roi))
        for turn in TURNS:
            pose = look(replace(roi, angle=math.remainder(roi.angle + turn, 2 * math.pi)))
            if pose is not None and not any(same_pose(pose, other) for other in found):
                add(look(pose.next_roi))
    return found


def _near(a: Roi, b: Roi) -> bool:
    """Whether an ROI may be of the person whom `b` is of."""
    return math.hypot(a.cx - b.cx, a.cy - b.cy) < REACH * b.size and 0.5 < a.size / b.size < 2


@dataclass
class SecondLook:
    """The second looks at one person."""

    row: int = 0
    """In so many frames in a row this was surely a person, up to `KNOWN`, at which it stays."""
    chain: Chain | None = None
    """The frames since the last sure one; None while all is well."""
    last: tuple[int, PoseLandmarks] | None = None
    """The frame before, as it was seen; None where the person was not."""
    decided: dict[int, PoseLandmarks] = field(default_factory=dict)
    """By frame: what is to take the place of what was given out at first."""

    @property
    def known(self) -> bool:
        """Whether this is surely a person."""
        return self.row >= KNOWN

    def see(
        self, index: int, look: Look, roi: Roi, pose: PoseLandmarks | None, least: float, *, cut: bool
    ) -> tuple[PoseLandmarks | None, bool]:
        """The pose to go on with in the next frame, and whether it is somewhere else than the one before.

        Args:
            index: of the frame. look: the model on it; gives None for ROIs of other people, too.
            roi: where the person is expected.
            pose: what the model sees there.
            least: presence of somebody who is seen in another turn only.
            cut: the picture's edge cuts the body, see `within`.
        """
        sure = pose is not None and not doubtful(pose)
        if not self.known:
            self.row = self.row + 1 if pose is not None and pose.presence >= KNOWN_PRESENCE else 0
        if cut or not self.known or (self.chain is None and sure):
            self.decide()
            self.last = None if pose is None else (index, pose)
            return pose, False
        rivals = [] if self.chain is None else self.chain.rivals()
        poses = views(look, roi, pose, rivals, turned=not sure)
        if pose is None:
            poses = [other for other in poses if other.presence >= least]
        if not poses:
            self.lost()
            return None, False
        if self.chain is None:
            self.chain = Chain(roi.size / ROI_SCALE)
            if self.last is not None:
                self.chain.add(self.last[0], [self.last[1]])
        best, jumped = self.chain.add(index, poses)
        self.last = (index, best)
        if (not doubtful(best) and not self.chain.rivals()) or len(self.chain) >= LONGEST:
            self.decide()
        return best, jumped

    def lost(self) -> None:
        """The person is not seen in this frame."""
        self.decide()
        self.last = None

    def decide(self) -> None:
        """End the chain, if there is one."""
        if self.chain is not None:
            self.decided.update(self.chain.path())
            self.chain = None
