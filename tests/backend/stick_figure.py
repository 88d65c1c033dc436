"""A stick figure that walks, and cameras that see it."""

from __future__ import annotations

import numpy as np

from inference_backend.skeletons import JOINTS, POINTS

FPS = 30.0
STATURE = 1.75
SOLES = {"heel": 0.037, "tip": 0.019, "toe": 0.009}


def joint(name: str) -> int:
    return JOINTS.index(name)


def walk(
    frames: int = 240, radius: float = 1.5, climb: float = 0.0, turn: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """A stick figure that walks on a circle, (F, 24, 3) and (F, 11, 3), metres, z up, floor at 0.

    Feet stand while they stand. The body leans forward as people's do. `climb`: metres up per metre walked; `turn`:
    rad that the circle starts at.
    """
    speed, cycle = 1.2, 1.1
    joints, points = np.zeros((frames, 24, 3)), np.zeros((frames, 11, 3))
    up = np.array([0, 0, 1.0])

    def on_path(distance: float) -> tuple[np.ndarray, np.ndarray]:
        angle = turn + distance / radius
        place = radius * np.array([np.cos(angle), np.sin(angle), 0]) + climb * distance * up
        return place, np.array([-np.sin(angle), np.cos(angle), 0])

    for f in range(frames):
        seconds = f / FPS
        place, ahead = on_path(speed * seconds)
        left = np.cross(up, ahead)
        pelvis = place + 0.86 * up + 0.02 * np.cos(4 * np.pi * seconds / cycle) * up
        neck = pelvis + 0.55 * up + 0.05 * ahead
        for name, back in (("pelvis", 0.0), ("spine1", 0.2), ("spine2", 0.4), ("spine3", 0.6), ("neck", 1.0)):
            joints[f, joint(name)] = pelvis + back * (neck - pelvis)
        joints[f, joint("head")] = neck + 0.12 * up
        points[f, :3] = neck + 0.15 * up + 0.1 * ahead
        for side, sign in (("left", 1.0), ("right", -1.0)):
            phase = seconds / cycle + (0.5 if side == "right" else 0.0)
            step, part = divmod(phase, 1.0)
            start = step - (0.5 if side == "right" else 0.0)
            swing = np.clip((part - 0.6) / 0.4, 0, 1)
            travel = speed * cycle * (start + 0.3 + swing)
            foot, heading = on_path(travel - 0.05)
            foot = foot + 0.09 * sign * np.cross(up, heading) + 0.12 * np.sin(np.pi * swing) * up
            hip, ankle = pelvis + 0.09 * sign * left, foot + 0.08 * up
            bend = np.sqrt(max(0.43**2 - ((hip - ankle) @ (hip - ankle)) / 4, 0.0))
            shoulder = neck - 0.05 * up + 0.17 * sign * left
            for name, at in {
                "hip": hip, "knee": (hip + ankle) / 2 + bend * ahead, "ankle": ankle,
                "foot": foot + 0.13 * heading + SOLES["toe"] * up, "collar": (neck + shoulder) / 2,
                "shoulder": shoulder, "elbow": shoulder - 0.28 * up, "wrist": shoulder - 0.5 * up,
                "hand": shoulder - 0.58 * up,
            }.items():  # fmt: skip
                joints[f, joint(f"{side}_{name}")] = at
            points[f, POINTS.index(f"{side}_index")] = points[f, POINTS.index(f"{side}_pinky")] = shoulder - 0.65 * up
            points[f, POINTS.index(f"{side}_heel")] = foot - 0.05 * heading + SOLES["heel"] * up
            points[f, POINTS.index(f"{side}_foot_index")] = foot + 0.2 * heading + SOLES["tip"] * up
    return joints, points


def camera(tilt: float, roll: float = 0.0, distance: float = 5.0, height: float = 1.4) -> np.ndarray:
    """(4, 4) world (z up) → a camera that looks along +y at the circle's middle, `tilt` degrees down."""
    t, r = np.radians([tilt, roll])
    level = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    down = np.array([[1, 0, 0], [0, np.cos(t), -np.sin(t)], [0, np.sin(t), np.cos(t)]])
    rolled = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = rolled @ down @ level
    matrix[:3, 3] = -matrix[:3, :3] @ np.array([0, -distance, height])
    return matrix


def see(matrix: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
    return [array @ matrix[:3, :3].T + matrix[:3, 3] for array in arrays]


def angle(a: np.ndarray, b: np.ndarray) -> float:
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
