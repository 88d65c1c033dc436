"""What an edit, a drag and a target pose hold. Numpy only."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import BadArgument
from ..skeletons import JOINTS
from . import quaternions
from .chains import PELVIS
from .motion import SkeletonMotion
from .vectors import Array, transposed, turned

Mode = Literal["free", "lengths"]

LARGEST: Final = 20.0
"""Metres beyond which an edit is refused: nobody means it."""

_COUNT: Final = len(JOINTS)


@dataclass(frozen=True, eq=False)
class Edits:
    """Edits of n frames. Other shapes raise ValueError; values that are not finite or absurd raise BadArgument."""

    offset: Array
    """(n, 24, 3) metres from the joint's base place, in the axes of its base rotation. The pelvis' is in the world's
    and takes all other joints along, so that between two keys a body that turns neither drifts nor bends. 0: none."""
    turn: Array
    """(n, 24, 4) quaternions: rotation = base rotation · turn, of pelvis, chest, head, wrists and ankles; knuckles and
    toes turn on top of wrist and ankle; the others turn about their own bone alone. Identity: none."""
    stretch: Array
    """(n, 24) 0 to 1: how far the bone that ends in the joint may leave its length; 0: not at all."""
    strength: Array
    """(n, 24) 0 = the mesh stream, 1 = the target; 1: no edit."""

    def __post_init__(self) -> None:
        count = len(self.offset)
        shapes = {"offset": (3,), "turn": (4,), "stretch": (), "strength": ()}
        for field in fields(self):
            array = np.asarray(getattr(self, field.name), np.float64)
            if array.shape != (count, _COUNT, *shapes[field.name]):
                raise ValueError(f"{field.name}: found {array.shape}, want {(count, _COUNT, *shapes[field.name])}")
            if not np.isfinite(array).all():
                row, joint = np.argwhere(~np.isfinite(array))[0][:2]
                raise refused(f"{field.name} of {JOINTS[joint]} in row {row} is not a number")
            object.__setattr__(self, field.name, array)
        far = np.argwhere(np.abs(self.offset) > LARGEST)
        if len(far):
            row, joint = far[0][:2]
            raise refused(f"{JOINTS[joint]} is moved by {np.abs(self.offset[row, joint]).max():.0f} m in row {row}")

    def __len__(self) -> int:
        return len(self.offset)

    @classmethod
    def none(cls, count: int) -> Edits:
        """No edit in any of the frames."""
        turn = np.tile(quaternions.IDENTITY, (count, _COUNT, 1))
        return cls(np.zeros((count, _COUNT, 3)), turn, np.zeros((count, _COUNT)), np.ones((count, _COUNT)))

    def rows(self, start: int, stop: int) -> Edits:
        """The frames [start, stop)."""
        return Edits(*(getattr(self, field.name)[start:stop] for field in fields(self)))

    def same(self, other: Edits) -> bool:
        """Whether they are equal, bit by bit."""
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return self is other or all(np.array_equal(a, b) for a, b in pairs)

    def edited(self) -> NDArray[np.bool_]:
        """(n,) which rows move or turn a joint."""
        return np.asarray((self.offset != 0).any((1, 2)) | (self.turn[..., 1:] != 0).any((1, 2)))


@dataclass(frozen=True, eq=False)
class TargetPose:
    """What calibration bends the mesh onto, n frames. Metres, world."""

    motion: SkeletonMotion
    """Path and rotations on the rest joints."""
    joints: Array
    """(n, 24, 3) the motion's forward kinematics, but where the artist stretched a bone."""
    twist: Array
    """(n, 24) radians: the artist's turns of `chains.TWISTING` about their own bones; the motion holds them already."""
    strength: Array
    """(n, 24) as in `Edits`."""


@dataclass(frozen=True, eq=False)
class Drag:
    """What an artist does to a joint of one frame."""

    joint: int
    """Of `skeletons.JOINTS`."""
    to: ArrayLike | None = None
    """(3,) metres, world: where it is dragged to; None: it is only turned."""
    turn: ArrayLike | None = None
    """(4,) the `Edits.turn` that it gets; None: it keeps what it has."""
    mode: Mode = "lengths"
    """"free": the bones at the joint stretch. "lengths": the chain follows."""
    children: bool = True
    """What hangs on the joint comes along; else it stays where it is, as far as lengths allow."""
    mirror: bool = False
    """The joint of the other side moves likewise, mirrored at the plane between the body's sides."""
    pins: tuple[int, ...] = ()
    """Joints that stay where they are in the world, as far as lengths allow."""

    def __post_init__(self) -> None:
        if not 0 <= self.joint < _COUNT or not all(0 <= pin < _COUNT for pin in self.pins):
            raise ValueError(f"joint, pins: found {self.joint}, {self.pins}, want 0 to {_COUNT - 1}")
        if self.mode not in ("free", "lengths"):
            raise ValueError(f"mode: found {self.mode!r}, want 'free' or 'lengths'")
        for name, size in (("to", 3), ("turn", 4)):
            value = getattr(self, name)
            if value is None:
                continue
            array = np.asarray(value, np.float64)
            if array.shape != (size,):
                raise ValueError(f"{name}: found {array.shape}, want {(size,)}")
            if not np.isfinite(array).all():
                raise refused(f"{name} of {JOINTS[self.joint]} is not a number")
            object.__setattr__(self, name, array)


def moves_of(offset: Array, turned_base: Array) -> Array:
    """How far `Edits.offset` leads each joint from its base place. Shape: (n, 24, 3), (n, 24, 3, 3) → (n, 24, 3)."""
    moves = turned(turned_base, offset) + offset[:, [PELVIS]]
    moves[:, PELVIS] = offset[:, PELVIS]
    return moves


def offsets_of(moves: Array, turned_base: Array) -> Array:
    """The way back of `moves_of`."""
    offset = turned(transposed(turned_base), moves - moves[:, [PELVIS]])
    offset[:, PELVIS] = moves[:, PELVIS]
    return offset


def refused(problem: str) -> BadArgument:
    """What to raise for an edit that nobody can mean."""
    return BadArgument(problem, hint="Undo the edit, or move the joint back.")
