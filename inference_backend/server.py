"""The server: jobs for one client, over the pipes it was started with; it ends when they do.

Two threads. The main thread is the only worker: it does one job after the other. The reader thread takes what the
client sends, greets, cancels, and sees the end of file, which comes however the client dies. From then on a job has
`END_SECONDS` to stop. Torch is loaded by the first job that needs it, so that the greeting comes at once.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import logging
import multiprocessing
import os
import platform
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from . import __version__, protocol
from .backlog import Backlog, Work
from .cli.failures import named
from .errors import BackendError, BadArgument, Cancelled, Internal, ProtocolMismatch
from .job_params import Context
from .jobs import METHODS, Method
from .progress import Progress
from .protocol import Failure, Hello, Malformed, Message, Reply, Request, Weights

END_SECONDS: Final = 1.0
"""How long a running job may take to stop when the client has gone."""

_LOG: Final = logging.getLogger("backend")
_MANY_A_SECOND: Final = {"preview"}
"""Methods that would push everything else out of the log's last lines."""
_LONGEST: Final = 500
"""Characters of a call's parameters in the log."""


class Server:
    """One client's calls. `run()` belongs to the main thread; everything from `_read` on to the reader thread."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO, methods: Mapping[str, Method] = METHODS) -> None:
        """Serve `methods` by the messages of `incoming`, answering to `outgoing`."""
        self._incoming = incoming
        self._outgoing = outgoing
        self._methods = methods
        self._writing = threading.Lock()
        self._backlog = Backlog()
        self._over = threading.Event()
        self._greeted = False

    def run(self) -> None:
        """Do jobs until the client has gone or says `shutdown`."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        while (work := self._backlog.next()) is not None:
            self._send(self._done(work))
        self._over.set()

    def _done(self, work: Work) -> Message:
        """Do one job; how it ends."""
        request, began = work.request, time.monotonic()
        level = logging.DEBUG if request.method in _MANY_A_SECOND else logging.INFO
        _LOG.log(level, "call %d %s %s", work.number, request.method, _Shortened(request.params))

        def report(progress: Progress) -> None:
            self._send(protocol.progress_to_wire(work.number, progress))

        try:
            if request.method not in self._methods:
                raise ProtocolMismatch(
                    f"the backend has no method {request.method}",
                    hint="Add-on and backend come from different versions: update both, then restart Blender.",
                    known=sorted(self._methods),
                )
            result = self._methods[request.method](request.params, Context(report, work.cancelled.is_set))
            protocol.encode(reply := Reply(work.number, result))  # what is no JSON is this job's fault
        except Exception as error:
            return self._failed(work, error)
        _LOG.log(level, "call %d done in %.1f s", work.number, time.monotonic() - began)
        return reply

    def _failed(self, work: Work, error: Exception) -> Failure:
        """The bad end of a job."""
        known = named(error)
        if known is not error:
            known.__cause__ = error
        if isinstance(known, Internal):
            _LOG.error("call %d failed", work.number, exc_info=error)
        else:
            _LOG.info("call %d failed: %s", work.number, known)
        # The worker processes of a cancelled job are ended under it: whatever it says then, it was cancelled.
        if work.cancelled.is_set() and not isinstance(known, Cancelled):
            known = _cancelled()
        return Failure(work.number, known)

    def _send(self, message: Message) -> None:
        line = protocol.encode(message)
        # A client that no longer reads has gone or is about to go, which the reader thread sees.
        with self._writing, contextlib.suppress(OSError):
            self._outgoing.write(line)
            self._outgoing.flush()

    def _read(self) -> None:
        """The reader thread's life."""
        try:
            for message in protocol.read(self._incoming):
                if not isinstance(message, Request):
                    _LOG.error("not a call: %s", message)
                    self._send(Failure(None, _not_understood(message)))
                elif message.method == "shutdown":
                    if message.id is not None:
                        self._send(Reply(message.id, {}))
                    break
                else:
                    self._take(message)
        finally:
            self._leave()

    def _take(self, request: Request) -> None:
        """One call or notification."""
        number = request.id
        if number is None:
            if request.method == "cancel" and (dropped := self._backlog.cancel(request.params.get("id"))):
                self._send(Failure(dropped.number, _cancelled()))
        elif request.method == "hello":
            self._send(self._greeting(number, request))
        elif not self._greeted:
            self._send(Failure(number, _not_understood(f"{request.method} before hello")))
        else:
            for older in self._backlog.put(Work(number, request)):
                self._send(Failure(older.number, _cancelled()))

    def _greeting(self, number: int, request: Request) -> Message:
        try:
            protocol.require_version(request.params.get("protocol"), "add-on")
        except ProtocolMismatch as error:
            return Failure(number, error)
        self._greeted = True
        return Reply(number, greeting().params())

    def _leave(self) -> None:
        """The client has gone: the running job, if any, is stopped; if it goes on, the process ends all the same."""
        _LOG.info("the client has gone")
        self._backlog.close()
        if not self._over.wait(END_SECONDS):
            _LOG.error("the job does not stop: the process ends")
            _end(1)


def serve(methods: Mapping[str, Method] = METHODS) -> int:
    """Serve the client at stdin and stdout until it has gone. The process ends here: it does not return."""
    incoming, outgoing = take_wire()
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    _LOG.info("backend %s, protocol %d, process %d", __version__, protocol.PROTOCOL_VERSION, os.getpid())
    try:
        Server(incoming, outgoing, methods).run()
    except KeyboardInterrupt:
        _end(Cancelled.exit_code)
    _end(0)
    return 0


def take_wire() -> tuple[BinaryIO, BinaryIO]:
    """The pipes of stdin and stdout, for nobody else: what is printed from now on goes to stderr.

    Neither is inherited by child processes. Nothing is left to read at stdin: on Windows, while a thread waits at a
    pipe, whoever asks for the type of stdin's handle waits too, as every C library does that is loaded.
    """
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    outgoing.write(b"\n")  # ends whatever was printed before, by Python's start files for instance
    outgoing.flush()
    return incoming, outgoing


def greeting() -> Hello:
    """What this backend says of itself."""
    from .cli.models import model_states

    weights = tuple(Weights(one.name, one.state, one.license, one.sha256) for one in model_states())
    return Hello(protocol.PROTOCOL_VERSION, __version__, platform.python_version(), weights)


def _end(code: int) -> None:
    """End the process now. Python's own way out takes as long as any library's exit handler."""
    for child in multiprocessing.active_children():
        child.kill()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _cancelled() -> BackendError:
    return Cancelled("stopped on request", hint="Start it again: a reconstruction goes on where it stopped.")


def _not_understood(what: Malformed | Message | str) -> BackendError:
    return BadArgument(f"not understood: {what}", hint="This is a fault of the add-on: report it with the log.")


class _Shortened:
    """Parameters as the log has them; made only where they are logged."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params

    def __str__(self) -> str:
        text = str(dict(self._params))
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
