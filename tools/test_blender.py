"""Runs tests/blender in every Blender that this machine can have, and tests/window.

    python tools/test_blender.py                        everything
    python tools/test_blender.py --only 4.2 -k import   one Blender; the other arguments reach pytest

Blenders: the modules of tools/blender_env.py (4.2, 4.5, 5.0) and the programs of tools/blender_root.py (trixie, sid);
`window` stands for the tests that drive a window. One line tells each one's results, with the reason of every skip, and
why a Blender was left out; what it printed lies in out/tests. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import blender_env
import blender_root

ROOT: Final = Path(__file__).resolve().parent.parent
SUITE: Final = ROOT / "tests" / "blender"
WINDOW: Final = ROOT / "tests" / "window"
LOGS: Final = ROOT / "out" / "tests"
LIMIT: Final = 1200
"""Seconds that a Blender may take."""
NO_TESTS: Final = 5
"""pytest's exit code where nothing was chosen."""
LAST_LINES: Final = 30

SETTING_UP: Final = threading.Lock()
"""Held while an environment is made: one download and one apt at a time, beside the tests of another Blender."""


class LeftOutError(Exception):
    """This Blender cannot be had here; the message says why."""


@dataclass(frozen=True)
class Outcome:
    """What one Blender's tests came to."""

    name: str
    text: str
    """The rest of its line."""
    passed: bool = True
    """False where a test failed or Blender died."""
    details: list[str] = field(default_factory=list)
    """Skips with their reasons, failures, last words."""


def run_module(series: str, arguments: list[str], chosen: bool) -> Outcome:
    """The suite with Blender as a module."""

    def prepare(results: Path) -> tuple[list[str], dict[str, str]]:
        made = blender_env.make(blender_env.locks()[series])
        if made.problem:
            raise LeftOutError(made.problem)
        command = [str(made.python), str(SUITE / "run.py"), *arguments]
        return command, {**os.environ, "PCHMR_RESULTS": str(results)}

    return _run(f"bpy {series}", series, prepare, chosen)


def run_program(suite: str, arguments: list[str], chosen: bool) -> Outcome:
    """The suite in the Blender of a Debian release."""

    def prepare(results: Path) -> tuple[list[str], dict[str, str]]:
        try:
            root = blender_root.make(suite)
        except blender_root.NoRootError as error:
            raise LeftOutError(str(error)) from error
        inside = ["blender", "-b", "--factory-startup", "--python-exit-code", "1", "--python", str(SUITE / "run.py")]
        binds = [blender_root.Bind(ROOT), blender_root.Bind(results.parent, "/out", writable=True)]
        environment = {"PCHMR_RESULTS": f"/out/{results.name}"}
        return root.command([*inside, "--", *arguments], binds=binds, env=environment), dict(os.environ)

    return _run(f"Debian {suite}", suite, prepare, chosen)


def _run(name: str, short: str, prepare: Callable[[Path], tuple[list[str], dict[str, str]]], chosen: bool) -> Outcome:
    """Set a Blender up, run the suite in it, read what came out."""
    results, log = LOGS / f"{short}.json", LOGS / f"{short}.log"
    results.unlink(missing_ok=True)
    with SETTING_UP:
        began = time.monotonic()
        try:
            command, environment = prepare(results)
        except LeftOutError as reason:
            return Outcome(name, f"left out: {reason}")
        setup = time.monotonic() - began
    code: int | str
    with log.open("w", encoding="utf-8") as output:
        try:
            code = subprocess.run(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                timeout=LIMIT, check=False,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            code = f"no end within {LIMIT} s"
    if not results.is_file():
        last = log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]
        return Outcome(name, f"DIED ({code}); {log.relative_to(ROOT)} ends so:", False, last)
    return _read(name, json.loads(results.read_text("utf-8")), setup, chosen)


def _read(name: str, record: dict[str, object], setup: float, chosen: bool) -> Outcome:
    """The outcome that `tests/blender/run.py` wrote down."""
    counts, skips, failures = record["counts"], record["skips"], record["failures"]
    assert isinstance(counts, dict)
    assert isinstance(skips, dict)
    assert isinstance(failures, list)
    order = ("passed", "failed", "errors", "skipped", "xfailed")
    words = ", ".join(f"{counts[kind]} {kind}" for kind in order if counts.get(kind)) or "no tests"
    text = f"{words} in {record['seconds']:.0f} s, Blender {record['blender']}"
    if setup >= 1:
        text += f" (set up in {setup:.0f} s)"
    details = [f"skipped {count}: {reason}" for reason, count in skips.items()]
    passed = record["code"] == 0 or (record["code"] == NO_TESTS and chosen)
    return Outcome(name, text, passed, [*details, *failures])


def show(outcome: Outcome, told: set[str]) -> None:
    """Print a Blender's line and what belongs to it; of what another Blender said too (`told`), the first line only."""
    print(f"{outcome.name:<14} {outcome.text}")
    for text in outcome.details:
        lines = text.splitlines()
        print("\n".join(f"    {line}" for line in lines) if text not in told else f"    {lines[0]}  (as above)")
    told.update(text for text in outcome.details if "\n" in text)
    sys.stdout.flush()


def run_here(arguments: list[str], chosen: bool, output: IO[str] | None = None) -> bool:
    """Tests in this Python; whether they passed.

    Args:
        arguments: pytest's.
        chosen: whether none at all is fine.
        output: where pytest prints; None: where this does.
    """
    command = [sys.executable, "-m", "pytest", *arguments]
    # One thread each: on two cores there is something else to do beside every test.
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    code = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=output, check=False).returncode
    return code == 0 or (code == NO_TESTS and chosen)


def arguments_for(arguments: list[str], wanted: Callable[[Path], bool], default: list[str]) -> list[str] | None:
    """pytest's arguments for one part of the tests.

    Args:
        arguments: as they were given, options and paths.
        wanted: whether a path belongs to this part.
        default: the paths where none was given.

    Returns:
        The arguments without the paths of other parts; None where all are.
    """
    names = {word: word.partition("::")[0] for word in arguments}
    paths = {word: Path(name).resolve() for word, name in names.items() if Path(name).exists()}
    if not paths:
        return [*arguments, *default]
    left = [word for word in arguments if word not in paths or wanted(paths[word])]
    return left if set(left) & set(paths) else None


def below(folder: Path) -> Callable[[Path], bool]:
    """What tells whether a path lies in a folder."""
    return lambda path: folder in (path, *path.parents)


def main(words: list[str] | None = None, beside: Callable[[], bool] | None = None) -> int:
    """Run what is asked for, and `beside` at the same time as the suites, which says whether all went well.

    1 where something failed.
    """
    modules, programs = list(blender_env.locks()), list(blender_root.SUITES)
    names = [*modules, *programs, "window"]
    parser = argparse.ArgumentParser(description="Run the tests that need a Blender.", allow_abbrev=False)
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="which Blenders (default: all)")
    options, arguments = parser.parse_known_args(words)
    LOGS.mkdir(parents=True, exist_ok=True)
    ok, chosen = True, bool(arguments)
    suite = arguments_for(arguments, below(SUITE), [str(SUITE)])
    # Two at a time: the projects' own machines have two cores.
    with ThreadPoolExecutor(2) as pool:
        other = None if beside is None else pool.submit(beside)
        running = []
        if suite is not None:
            running += [pool.submit(run_module, name, suite, chosen) for name in modules if name in options.only]
            running += [pool.submit(run_program, name, suite, chosen) for name in programs if name in options.only]
        told: set[str] = set()
        for each in running:
            outcome = each.result()
            show(outcome, told)
            ok = ok and outcome.passed
        if other is not None:
            ok = other.result() and ok
    window = arguments_for(arguments, below(WINDOW), [str(WINDOW)])
    if window is not None and "window" in options.only:
        print("window", flush=True)
        ok = run_here(window, chosen) and ok
    return int(not ok)


if __name__ == "__main__":
    sys.exit(main())
