"""The benches of the whole pipeline run on a short clip and fill their tables; how fast it is, is not for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_backend.evaluation import bench_memory, bench_pipeline
from inference_backend.video import probe

from .demo_job import CLIP, needs_models, torch_threads

__all__ = ["torch_threads"]

pytestmark = needs_models


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    bench_memory.write_loop(CLIP, tmp_path / "short.mp4", 12)
    return tmp_path / "short.mp4"


def test_loops_have_the_length_that_is_asked_for(clip: Path, tmp_path: Path) -> None:
    bench_memory.write_loop(clip, tmp_path / "again.mp4", 50)
    info = probe(tmp_path / "again.mp4")
    assert (info.frame_count, info.width, info.height) == (50, 640, 480)


def test_speed(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = bench_pipeline.run(clip, rounds=1)
    assert bench.frames == 12
    assert bench.ratio > 0
    assert bench.pipeline_fps == pytest.approx(bench.ratio * bench.estimator_fps)
    assert list(bench.stages) == ["estimate", "lift", "target", "suspects", "calibrate"]
    assert bench.first_progress > 0
    assert "| whole pipeline |" in capsys.readouterr().out


def test_memory(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (peak,) = bench_memory.run(clip, frames=(40,))
    assert peak.frames == 40
    assert 100e6 < peak.main < 10e9
    assert peak.worker is None or 10e6 < peak.worker < 10e9
    assert "| 40 |" in capsys.readouterr().out
