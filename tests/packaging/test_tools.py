"""The tools that run the tests: which arguments go where, and what is said where a Blender cannot be had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import blender_env
import blender_root
import pytest
import test_blender

SUITE = "tests/blender/conftest.py::test_x"
OTHER = "tests/conftest.py"


@pytest.fixture(autouse=True)
def _in_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(test_blender.ROOT)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ([], ["default"]),
        (["-k", "lens"], ["-k", "lens", "default"]),
        ([SUITE], [SUITE]),
        ([OTHER, SUITE, "-x"], [SUITE, "-x"]),
        ([OTHER, "-x"], None),
    ],
)
def test_paths_reach_their_part_and_options_every_part(given: list[str], left: list[str] | None) -> None:
    assert test_blender.arguments_for(given, test_blender.below(test_blender.SUITE), ["default"]) == left


def test_results_are_one_line_and_skips_have_reasons() -> None:
    record = {
        "blender": "9.9",
        "code": 0,
        "seconds": 2.4,
        "counts": {"passed": 3, "skipped": 2},
        "skips": {"no Alembic": 2},
        "failures": [],
    }
    outcome = test_blender._read("x", record, 0.1, False)
    assert outcome.passed
    assert outcome.text == "3 passed, 2 skipped in 2 s, Blender 9.9"
    assert outcome.details == ["skipped 2: no Alembic"]


@pytest.mark.parametrize(("code", "chosen", "passed"), [(1, True, False), (5, True, True), (5, False, False)])
def test_no_tests_are_fine_only_where_some_were_chosen(code: int, chosen: bool, passed: bool) -> None:
    record = {"blender": "9.9", "code": code, "seconds": 0.0, "counts": {}, "skips": {}, "failures": []}
    assert test_blender._read("x", record, 0.0, chosen).passed == passed


def test_a_blender_that_dies_is_told_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_blender, "LOGS", tmp_path)
    monkeypatch.setattr(test_blender, "ROOT", tmp_path)
    died = [sys.executable, "-c", "print('segmentation fault'); raise SystemExit(139)"]
    outcome = test_blender._run("x", "x", lambda results: (died, dict(os.environ)), False)
    assert not outcome.passed
    assert "139" in outcome.text
    assert outcome.details == ["segmentation fault"]


def test_locks_pin_one_blender_each() -> None:
    locks = blender_env.locks()
    assert {"4.2", "4.5", "5.0"} <= set(locks)
    for series, lock in locks.items():
        assert f"bpy=={series}." in lock.read_text("utf-8")


def test_no_root_without_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    with pytest.raises(blender_root.NoRootError, match="root rights" if sys.platform == "linux" else "Linux"):
        blender_root.make("sid", tmp_path)


def test_no_root_without_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(blender_root.shutil, "which", lambda name: name)
    refused = SimpleNamespace(returncode=1, stderr="unshare failed: Operation not permitted\n")
    monkeypatch.setattr(subprocess, "run", lambda *given, **options: refused)
    with pytest.raises(blender_root.NoRootError, match="Operation not permitted"):
        blender_root.make("sid", tmp_path)


def test_no_root_in_a_folder_of_other_things(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep", "utf-8")
    with pytest.raises(blender_root.NoRootError, match="neither empty"):
        blender_root._bootstrap("sid", tmp_path, os.dup(2))
    assert (tmp_path / "mine").exists()
