"""From an exception to what the user sees and the process returns."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .. import __version__
from ..errors import BackendError, Cancelled, DiskFull, Internal, OutOfMemory, OutputNotWritable

PIPE_CLOSED: Final = 141
"""Exit code where whoever read stdout has gone, as of a process that SIGPIPE ended."""

_MEMORY_WORDS = ("can't allocate memory", "not enough memory", "out of memory")
"""Of the plain RuntimeErrors that torch raises where it gets no memory."""


def guarded(command: Callable[[], int]) -> int:
    """Run a command; whatever it raises is told on stderr and becomes an exit code. SystemExit passes."""
    try:
        try:
            code = command()
        finally:
            sys.stdout.flush()  # what cannot be written must be known before the exit code is
        return code
    except BrokenPipeError as error:
        if _stdout_closed():
            return PIPE_CLOSED
        return _told(named(error), error)
    except KeyboardInterrupt as error:
        return _told(Cancelled("interrupted", hint="The same command starts again, or continues."), error)
    except Exception as error:
        return _told(named(error), error)


def named(error: Exception) -> BackendError:
    """The kind of any exception."""
    if isinstance(error, BackendError):
        return error
    if _is_memory(error):
        return OutOfMemory(
            f"the memory is full: {error or 'no more can be had'}",
            hint="Close other programs, or use fewer workers (--workers 1) or another device (--device cpu).",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = error.filename or "the output"
        return DiskFull(f"no space left to write {place}", hint="Free some space and run the same command again.")
    if isinstance(error, OSError) and error.filename is not None and isinstance(error, PermissionError):
        hint = "Choose another place, or change its permissions."
        return OutputNotWritable(f"{error.filename} may not be used: {error.strerror}", hint=hint)
    return Internal(f"{type(error).__name__}: {error}", hint="This is a fault of the program: report it with the log.")


def _is_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _MEMORY_WORDS)


def _told(named: BackendError, raised: BaseException) -> int:
    """Print the error, with what another program said of it; write the log of what was not foreseen."""
    lines = [str(named)]
    lines += [f"  | {line}" for line in str(named.facts.get("output", "")).splitlines()]
    if isinstance(named, Internal):
        lines.append(_logged(named, raised))
    with contextlib.suppress(OSError):  # nobody reads stderr: the exit code still tells
        print("\n".join(lines), file=sys.stderr, flush=True)
    return named.exit_code


def _logged(named: Internal, raised: BaseException) -> str:
    """Where the log of the error lies, or the log itself where it cannot be written."""
    text = "\n".join(
        [
            f"pchmr {__version__}, Python {platform.python_version()}, {platform.platform()}",
            f"command: {sys.argv}",
            *(f"{name}: {value}" for name, value in named.facts.items()),
            "".join(traceback.format_exception(raised)),
        ]
    )
    try:
        descriptor, path = tempfile.mkstemp(prefix="pchmr-", suffix=".log")
        os.close(descriptor)
        Path(path).write_text(text, "utf-8", errors="backslashreplace")
    except OSError:
        return text
    return f"  log: {path}"


def _stdout_closed() -> bool:
    """Whether it is stdout that nobody reads; if so it is turned away, so that Python's exit does not complain."""
    try:
        sys.stdout.write("\n")  # an empty write would not tell, and what failed to be written may be dropped already
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return True
    return False
