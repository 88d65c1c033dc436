"""The real server with further methods, which misbehave. Worker processes load this file, too."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from inference_backend import errors
from inference_backend.jobs import METHODS, Context
from inference_backend.progress import Meter
from inference_backend.server import serve

Params = Mapping[str, Any]


def echo(params: Params, context: Context) -> Params:
    return params


def variables(params: Params, context: Context) -> Params:
    """The environment of this process."""
    return dict(os.environ)


def steps(params: Params, context: Context) -> Params:
    """`count` steps of `seconds`, as jobs should do them."""
    meter = Meter(context.report, context.cancelled)
    for done in range(params["count"] + 1):
        meter.stage("step", done, params["count"])
        time.sleep(params["seconds"])
    return {"steps": params["count"]}


def stubborn(params: Params, context: Context) -> Params:
    """Never looks whether it is cancelled."""
    Meter(context.report).stage("stubborn", 0, 1)
    time.sleep(params["seconds"])
    return {}


def prints(params: Params, context: Context) -> Params:
    """Writes to stdout in every way there is, in this process and in others."""
    print("printed by Python: ünder")
    os.write(1, b"printed to the descriptor\n")
    library = ctypes.CDLL(None) if sys.platform != "win32" else ctypes.cdll.msvcrt
    library.printf(b"printed by C\n")
    library.fflush(None)
    subprocess.run([sys.executable, "-c", "print('printed by a child')"], check=True)
    worker = multiprocessing.get_context("spawn").Process(target=print, args=("printed by a worker",))
    worker.start()
    worker.join()
    child = subprocess.run([sys.executable, "-c", "import sys; sys.exit(sys.stdin.read() != '')"], check=False)
    return {"read": sys.stdin.read(), "worker": worker.exitcode, "child": child.returncode}


def fails(params: Params, context: Context) -> Params:
    if params["kind"] == "unforeseen":
        raise ZeroDivisionError("by zerö")
    raise errors.KINDS[params["kind"]]("as asked for", hint="do not ask", fact=1)


def unplain(params: Params, context: Context) -> Params:
    return {"what": object()}


def dies(params: Params, context: Context) -> Params:
    """Ends its process as a fault in C does."""
    print("last words")
    if params["how"] == "crash":
        ctypes.string_at(0)
    os._exit(params["code"])


def workers(params: Params, context: Context) -> Params:
    """Waits, without looking up, for worker processes that do not end."""
    start = multiprocessing.get_context("spawn").Process
    team = [start(target=time.sleep, args=(600,), daemon=True) for _ in range(2)]
    for worker in team:
        worker.start()
    meter = Meter(context.report, context.cancelled)
    meter.stage("workers", 0, 1)
    for worker in team:
        worker.join()
    raise RuntimeError("the workers ended")


def hangs(params: Params, context: Context) -> Params:
    """Keeps every thread of the process from running, as a library that never lets go of Python's lock."""
    Meter(context.report).stage("hang", 0, 1)
    if sys.platform == "win32":
        ctypes.PyDLL("kernel32").Sleep(600_000)
    else:
        ctypes.PyDLL(None).sleep(600)
    return {}


ODD = {one.__name__: one for one in (echo, variables, steps, stubborn, prints, fails, unplain, dies, workers, hangs)}

if __name__ == "__main__":
    print("printed at the start")
    print("and not ended", end="", flush=True)
    serve({**METHODS, **ODD})
