"""The worker processes, with the real networks: order, errors, death, and their end."""

import multiprocessing
import os

import cv2
import numpy as np
import pytest

from inference_backend.errors import ClipNotFound, Internal, WeightsCorrupt, WeightsMissing
from inference_backend.estimators import FramePoses
from inference_backend.estimators.blazepose_runs import VideoFrames
from inference_backend.estimators.blazepose_workers import estimate_clip
from inference_backend.video import VideoSource
from inference_backend.weights import model_path


def installed():
    try:
        return all(model_path(name) for name in ("blazepose_detector", "blazepose_landmarks"))
    except (WeightsMissing, WeightsCorrupt):
        return False


needs_models = pytest.mark.skipif(not installed(), reason="BlazePose's models are not installed")


@pytest.fixture
def clip(tmp_path):
    """70 small pictures without people, the 41st damaged."""
    rng = np.random.default_rng(0)
    for k in range(70):
        cv2.imwrite(str(tmp_path / f"{k:03d}.png"), rng.integers(0, 255, (40, 50, 3), np.uint8))
    (tmp_path / "040.png").write_bytes(b"no picture")
    return VideoFrames(VideoSource(tmp_path, start=2, fps=30))


@needs_models
def test_two_workers_give_all_frames_in_order(clip):
    poses = list(estimate_clip(clip, 68, workers=2))
    assert [pose.index for pose in poses] == list(range(2, 70))
    assert [pose.index for pose in poses if not pose.decoded] == [40]
    assert list(estimate_clip(clip, 68)) == poses
    assert list(estimate_clip(clip, 68, 2, start=30, before=poses[:30])) == poses[30:]
    assert list(estimate_clip(clip, 68, start=68)) == []


@needs_models
@pytest.mark.parametrize("workers", [1, 2])
def test_a_named_error_in_a_worker_keeps_its_name(tmp_path, workers):
    with pytest.raises(ClipNotFound) as caught:
        list(estimate_clip(VideoFrames(VideoSource(tmp_path / "gone.mp4")), 68, workers))
    assert caught.value.hint
    assert caught.value.facts


@needs_models
@pytest.mark.parametrize("workers", [1, 2])
def test_any_other_error_is_internal_with_its_traceback(workers):
    with pytest.raises(Internal, match="TypeError") as caught:
        list(estimate_clip(max, 68, workers))  # max(start, stop) is no row of frames
    assert "Traceback" in caught.value.facts["traceback"]


class Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self):
        return os._exit, (3,)


@needs_models
def test_a_dead_worker_is_reported():
    with pytest.raises(Internal, match="exit code 3"):
        list(estimate_clip(Deadly(), 68, workers=2))
    assert multiprocessing.active_children() == []


@needs_models
def test_closing_ends_the_workers(clip):
    poses = estimate_clip(clip, 68, workers=2)
    assert isinstance(next(poses), FramePoses)
    assert len(multiprocessing.active_children()) == 2
    poses.close()
    assert multiprocessing.active_children() == []


def test_wrong_arguments(clip):
    with pytest.raises(ValueError, match="workers >= 1"):
        list(estimate_clip(clip, 3, workers=0))
