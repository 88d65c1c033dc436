"""The closed set of things that can go wrong, each with its facts, a hint a person can act on and an exit code."""

from __future__ import annotations

from typing import Any, ClassVar


class BackendError(Exception):
    """An expected failure. `hint` says what to do; `facts` are plain values for the log and the wire.

    Subclasses are the closed set of kinds: `kind` is the class name, `exit_code` what the command line returns.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts

    @property
    def kind(self) -> str:
        return type(self).__name__

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}\n  {self.hint}"


class Internal(BackendError):
    """A fault of ours: anything that was not foreseen."""

    exit_code = 1


class BadArgument(BackendError):
    """An option's value is outside what it allows (argparse's own exit code)."""

    exit_code = 2


class ClipNotFound(BackendError):
    """No file or folder at the clip's path."""

    exit_code = 10


class UnsupportedVideo(BackendError):
    """The file is there, but no frame can be read from it: not a video, no frames, unknown codec."""

    exit_code = 11


class NoPersonFound(BackendError):
    """No person, or not the one asked for, in any frame."""

    exit_code = 12


class WeightsMissing(BackendError):
    """A model file is not installed."""

    exit_code = 20


class WeightsCorrupt(BackendError):
    """A model file's content is not what its name, hash or layout says."""

    exit_code = 21


class UnsafePickle(BackendError):
    """A model pickle wants something else than numpy, scipy.sparse or chumpy arrays."""

    exit_code = 22


class BodyInvalid(BackendError):
    """A body model file lacks an array or has one of the wrong shape."""

    exit_code = 23


class PresetInvalid(BackendError):
    """A preset has an unknown key or a value that is not allowed."""

    exit_code = 30


class TakeCorrupt(BackendError):
    """A take's files do not fit its take.json."""

    exit_code = 40


class TakeVersion(BackendError):
    """A take written by another version of the format."""

    exit_code = 41


class TakeMismatch(BackendError):
    """The output folder holds a take of another clip or of other settings."""

    exit_code = 42


class CacheCorrupt(BackendError):
    """A mesh cache's file is missing, cut short or of another mesh: Blender would silently show the rest pose."""

    exit_code = 43


class TakeNotFound(BackendError):
    """A scene's take is neither where it was nor beside the .blend file."""

    exit_code = 44


class OutputNotWritable(BackendError):
    """The output folder cannot be made or written."""

    exit_code = 50


class DiskFull(BackendError):
    """No space left while writing; what was finished is kept."""

    exit_code = 51


class OutOfMemory(BackendError):
    """The device or the machine ran out of memory at the smallest batch."""

    exit_code = 52


class SceneChanged(BackendError):
    """What is asked for needs a part of the scene that is no longer there: a body, a skeleton, a camera."""

    exit_code = 53


class ExportRefused(BackendError):
    """A format cannot carry the body's form (`form` is one that it can), or this Blender cannot make the file."""

    exit_code = 54


class ProtocolMismatch(BackendError):
    """Add-on and backend speak different versions of the protocol."""

    exit_code = 60


class BackendDied(BackendError):
    """The backend process cannot be started, has ended by itself or had to be ended; `output` is its log's end."""

    exit_code = 61


class SetupFailed(BackendError):
    """The backend's environment could not be made; `log` is the file that says all of it."""

    exit_code = 70


class NoNetwork(BackendError):
    """A download failed: offline, or a proxy, a certificate or a firewall is in the way (`reason` says which)."""

    exit_code = 71


class EnvironmentInvalid(BackendError):
    """An interpreter cannot run this backend; `reason` says why in one word."""

    exit_code = 72


class Cancelled(BackendError):
    """Stopped on request; finished frames are kept."""

    exit_code = 130


KINDS: dict[str, type[BackendError]] = {cls.__name__: cls for cls in BackendError.__subclasses__()}
"""Every kind by its name, for the wire and the documentation."""
