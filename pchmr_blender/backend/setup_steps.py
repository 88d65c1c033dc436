# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a setup: programs that are run one after the other, with a log, and how far all of it is. No bpy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from .environment_folder import DOWNLOADS, LOG
from .folders import folder_size
from .programs import clean_environment, run_logged
from .setup_errors import named_failure
from .uv import uv_variables

_ASTRAY: Final = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIREMENT", "PIP_NO_CACHE_DIR")
"""pip's settings that would lead the packages elsewhere."""


@dataclass(frozen=True)
class SetupProgress:
    """One report."""

    stage: str
    """What is being done, in words: "getting uv"."""
    done: int
    """Bytes of this stage, about."""
    total: int
    """Bytes of this stage, about."""
    fraction: float
    """How much of everything is done, 0 to 1."""
    note: str
    """Why the plan's first route was left, in words; empty while it is followed."""


class Steps:
    """The log of one setup, and how much of the whole is done, weighed by what each stage downloads."""

    def __init__(
        self, folder: Path, log: IO[bytes], report: Callable[[SetupProgress], None], cancelled: Callable[[], bool]
    ) -> None:
        """`folder` is that of the environments; `log` the open `LOG` in it, which gets the programs' output too."""
        self.cancelled = cancelled
        self.log_path = folder / LOG
        self.downloads = folder / DOWNLOADS
        self.temporary = self.downloads / "tmp"
        self._log = log
        self._report = report
        self._weights: dict[str, int] = {}
        self._note = ""

    def begin(self, weights: Mapping[str, int], note: str) -> None:
        """Start over, with these stages: their names in order, and the bytes that each of them weighs."""
        self._weights = dict(weights)
        self._note = note

    def say(self, text: str) -> None:
        """Write to the log."""
        self._log.seek(0, 2)
        self._log.write(f"[{time.strftime('%H:%M:%S')}] {text}\n".encode("utf-8", "replace"))
        self._log.flush()

    def show(self, stage: str, done: int) -> None:
        """Report that so many bytes of a stage are done; all, where it is more than it weighs."""
        total = self._weights[stage]
        done = min(done, total)
        stages = list(self._weights)
        before = sum(self._weights[name] for name in stages[: stages.index(stage)])
        fraction = (before + done) / sum(self._weights.values())
        self._report(SetupProgress(stage, done, total, fraction, self._note))

    def run(
        self,
        stage: str,
        command: Sequence[str | Path],
        environment: Path,
        *,
        folder: Path,
        watch: Sequence[Path] = (),
        grows: int = 1,
    ) -> None:
        """Run one program.

        Args:
            stage: one of those that weigh.
            command: the program and its arguments.
            environment: the folder of the environment that is being made.
            folder: its working directory.
            watch: folders, by whose growth it is told how far the program is.
            grows: bytes that they grow by until it ends, about.

        Raises what its output tells, see `setup_errors`; Cancelled.
        """
        self.say("> " + " ".join(map(str, command)))
        start, growth = self._log.tell(), _Growth(watch)

        def tick() -> None:
            self.show(stage, int(growth.bytes() / grows * self._weights[stage]))

        variables = self._variables(environment)
        self.show(stage, 0)
        try:
            code = run_logged(
                command, self._log, folder=folder, environment=variables, cancelled=self.cancelled, tick=tick
            )
        except OSError as error:
            raise named_failure(stage, str(error), self.log_path) from error
        if code:
            with self.log_path.open("rb") as log:
                log.seek(start)
                output = log.read().decode("utf-8", "replace")
            raise named_failure(stage, output, self.log_path)
        self.show(stage, self._weights[stage])

    def _variables(self, environment: Path) -> dict[str, str]:
        """Environment variables of the installers: all they keep goes to our disk, where space was looked for."""
        places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.temporary))
        cache = str(self.downloads / "pip-cache")
        own = uv_variables(self.downloads, environment)
        variables = clean_environment(**places, **own, PIP_CACHE_DIR=cache, PIP_USER="0")
        if "SSL_CERT_FILE" in variables:
            variables.setdefault("PIP_CERT", variables["SSL_CERT_FILE"])
        return {name: value for name, value in variables.items() if name not in _ASTRAY}


class _Growth:
    """How much folders have grown. Tens of thousands of files: looked at for a tenth of the time at most."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._before = self._now = sum(map(folder_size, folders))
        self._again = 0.0

    def bytes(self) -> int:
        """Since it was made, as of a moment ago."""
        start = time.monotonic()
        if start >= self._again:
            self._now = sum(map(folder_size, self._folders))
            end = time.monotonic()
            self._again = end + 9 * (end - start)
        return max(self._now - self._before, 0)
