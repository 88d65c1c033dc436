"""The original BlazePose, as a program that runs in the original's own environment (see `bench_blazepose`).

    python bench_blazepose_original.py agree OUT HEIGHT WIDTH < raw RGB frames
    python bench_blazepose_original.py speed OUT CLIP COUNT

writes OUT, an .npz: landmarks (F, 33, 3) as x, y px and visibility, NaN where nobody is seen; wall and cpu seconds.
"""

import sys
import time
from collections.abc import Iterator
from typing import Any

import cv2
import mediapipe  # type: ignore[import-not-found]
import numpy as np


def piped(height: int, width: int) -> Iterator[Any]:
    """Frames (height, width, 3) from standard input."""
    while raw := sys.stdin.buffer.read(height * width * 3):
        yield np.frombuffer(raw, np.uint8).reshape(height, width, 3)


def decoded(clip: str, count: int) -> Iterator[Any]:
    """`count` frames of a clip, from its start again where it ends."""
    done = 0
    while done < count:
        video, before = cv2.VideoCapture(clip), done
        while done < count:
            there, image = video.read()
            if not there:
                break
            done += 1
            yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        if done == before:
            sys.exit("OpenCV cannot read the clip")


def main(task: str, out: str, first: str, second: str) -> None:
    """Find the pose in every frame."""
    frames = decoded(first, int(second)) if task == "speed" else piped(int(first), int(second))
    rows, wall, cpu = [], time.perf_counter(), time.process_time()
    with mediapipe.solutions.pose.Pose(model_complexity=1, smooth_landmarks=False) as pose:
        for image in frames:
            found = pose.process(image).pose_landmarks
            height, width = image.shape[:2]
            points = found.landmark if found else []
            rows.append([(p.x * width, p.y * height, p.visibility) for p in points] or [(np.nan,) * 3] * 33)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    np.savez(out, landmarks=np.array(rows), wall=wall, cpu=cpu)


if __name__ == "__main__":
    main(*sys.argv[1:])
