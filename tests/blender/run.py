"""Runs pytest in this folder inside a Blender; tools/test_blender.py calls it, and you may:

    .cache/bpy/5.0.1/bin/python tests/blender/run.py -k import
    blender -b --factory-startup --python tests/blender/run.py -- -k import       (pytest must be in Blender's Python)

Where PCHMR_RESULTS names a file, what came out is written there as JSON (`Results`).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]


class Results:
    """A pytest plugin that keeps the outcome of each test."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.skips: Counter[str] = Counter()
        self.failures: list[str] = []
        self.started = time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.counts["failed"] += 1
            self.failures.append(f"{report.nodeid} ({report.when})\n{report.longreprtext}")
        elif report.skipped:
            self._skipped(report)
        elif report.when == "call":
            self.counts["passed"] += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.counts["errors"] += 1
            self.failures.append(f"{report.nodeid}\n{report.longreprtext}")
        elif report.skipped:
            self._skipped(report)

    def _skipped(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        if hasattr(report, "wasxfail"):
            self.counts["xfailed"] += 1
        else:
            self.counts["skipped"] += 1
            self.skips[reason.removeprefix("Skipped: ")] += 1

    def write(self, path: Path, code: int) -> None:
        record = {
            "blender": bpy.app.version_string,
            "code": code,
            "seconds": time.monotonic() - self.started,
            "counts": self.counts,
            "skips": self.skips,
            "failures": self.failures,
        }
        path.write_text(json.dumps(record), "utf-8")


def main() -> None:
    """Run pytest and end this process with its exit code."""
    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    os.chdir(ROOT)
    chosen = any(Path(word.partition("::")[0]).exists() for word in arguments)
    sys.dont_write_bytecode = True
    results = Results()
    where = [] if chosen else ["tests/blender"]
    code = int(pytest.main(["-p", "no:cacheprovider", "--tb=short", *arguments, *where], plugins=[results]))
    if os.environ.get("PCHMR_RESULTS"):
        results.write(Path(os.environ["PCHMR_RESULTS"]), code)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: with a timer still registered Blender 4.2 crashes and 4.5 hangs as it ends.
    os._exit(code)


main()
