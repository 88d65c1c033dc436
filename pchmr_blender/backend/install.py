# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets the backend up as planned: an environment of its own, torch, the models. The only code here that downloads.

For a worker thread. The routes of the plan are tried in turn; every step, and why a route was left, is reported and
logged. The environment counts from the moment its stamp is written, after the backend has run in it. No bpy.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from ...inference_backend.disk import writing
from ...inference_backend.errors import BackendError, DiskFull, NoNetwork, SetupFailed
from ...inference_backend.folder_lock import FolderLock
from .check import Check, check
from .environment_folder import DOWNLOADS, LOCK, LOG, Environment, begin, claim, discard, environments, finish, sweep
from .interpreters import program_in
from .setup_errors import named_failure
from .setup_plan import Plan, Route
from .setup_steps import SetupProgress, Steps
from .setup_table import platform_name
from .uv import get_uv, install_command, make_command

_OVERHEAD: Final = 20_000_000
"""What a step that downloads nothing weighs, in bytes."""
_UV, _MAKE, _ALL, _LOCKED, _TORCH, _MODELS, _START = (
    "getting uv",
    "making the environment",
    "installing packages and PyTorch",
    "installing packages",
    "installing PyTorch",
    "getting BlazePose's models",
    "starting the backend",
)


def install(plan: Plan, report: Callable[[SetupProgress], None], cancelled: Callable[[], bool]) -> Environment:
    """Make the environment and get the models.

    A setup that fails or is cancelled leaves nothing that `find` takes for an environment; what it has downloaded is
    kept for the next one. An environment that is there already stays in use until the new one is finished.

    Args:
        plan: what to do.
        report: gets how far it is, at most ten times a second, in this thread.
        cancelled: asked many times a second; the setup stops within a second.

    Raises:
        NoNetwork: offline, or a proxy, certificate or firewall is in the way; `reason` says which.
        SetupFailed: no build fits this machine, or an installer failed.
        EnvironmentInvalid: what was installed cannot be loaded on this machine.
        DiskFull, OutputNotWritable, BadArgument: the folder.
        Cancelled: on request.
    """
    claim(plan.folder)
    lock = FolderLock(plan.folder / LOCK)
    try:
        sweep(plan.folder)
        with writing(plan.folder), (plan.folder / LOG).open("wb") as log:
            made = _made(plan, Steps(plan.folder, log, report, cancelled))
        for old in environments(plan.folder):
            if (old.lock, old.device) == (made.lock, made.device) and old.folder != made.folder:
                discard(old.folder)
        discard(plan.folder / DOWNLOADS)
        return made
    finally:
        lock.release()


def _made(plan: Plan, steps: Steps) -> Environment:
    """By the first route that leads there."""
    steps.say("\n".join(plan.lines))
    failures: list[BackendError] = []
    for route in plan.routes:
        note = f"{failures[-1].message}. {route.words}." if failures else ""
        folder = begin(plan.folder, plan.lock, plan.device)
        try:
            return _by(route, plan, folder, steps, note)
        except (NoNetwork, SetupFailed) as error:
            steps.say(f"{error}")
            failures.append(error)
            discard(folder)
        except BaseException:
            discard(folder)
            raise
    # Where it is the network, that is what there is to mend.
    told = next((failure for failure in failures if isinstance(failure, NoNetwork)), failures[-1])
    told.facts["attempts"] = [failure.message for failure in failures]
    raise told


def _by(route: Route, plan: Plan, folder: Path, steps: Steps, note: str) -> Environment:
    """Make the environment in `folder` by one route."""
    steps.say(f"{route.words}, in {folder}")
    free = shutil.disk_usage(plan.folder).free
    if free < route.disk_bytes:
        raise DiskFull(
            f"{plan.folder} has {free / 1e9:.1f} GB free; {route.disk_bytes / 1e9:.1f} GB are wanted",
            hint="Free some space, or choose a folder on another disk.",
            free=free,
            wanted=route.disk_bytes,
        )
    shutil.rmtree(steps.temporary, ignore_errors=True)
    steps.temporary.mkdir(parents=True)
    after = {_MODELS: plan.table.models_bytes, _START: _OVERHEAD}
    if route.tool == "uv":
        interpreter = _with_uv(route, plan, folder, steps, after, note)
    else:
        interpreter = _with_pip(route, plan, folder, steps, after, note)
    command: list[str | Path] = [interpreter, "-m", "inference_backend", "models", "--install"]
    steps.run(_MODELS, command, folder, folder=plan.root)
    steps.show(_START, 0)
    found = check(interpreter, root=plan.root, cancelled=steps.cancelled)
    steps.say("\n".join(found.lines))
    return _finished(route, plan, folder, found)


def _with_uv(route: Route, plan: Plan, folder: Path, steps: Steps, after: dict[str, int], note: str) -> Path:
    """Environment and packages by uv; the interpreter."""
    table, target = plan.table, folder / "venv"
    packages = table.packages_bytes + table.torch_bytes[plan.device]
    make = _OVERHEAD if route.python else table.python_bytes
    steps.begin({_UV: table.uv.size, _MAKE: make, _ALL: packages, **after}, note)
    steps.show(_UV, 0)
    try:
        uv = get_uv(table, steps.downloads, lambda done: steps.show(_UV, done), steps.cancelled)
    except OSError as error:
        raise named_failure(_UV, str(error), steps.log_path) from error
    command = make_command(uv, target, route.python or table.python, bring=route.python is None)
    steps.run(_MAKE, command, folder, folder=plan.folder, watch=[folder / "python"], grows=4 * make)
    interpreter = program_in(target)
    command = install_command(uv, interpreter, plan.root / "requirements", plan.device)
    # uv unpacks into its cache while it downloads, links the files from there, and then compiles.
    watch = [steps.downloads / "uv-cache", target]
    grows = 2 * (table.unpacked_packages + table.unpacked_torch(plan.device))
    steps.run(_ALL, command, folder, folder=plan.folder, watch=watch, grows=grows)
    return interpreter


def _with_pip(route: Route, plan: Plan, folder: Path, steps: Steps, after: dict[str, int], note: str) -> Path:
    """Environment and packages by a Python of this machine and its pip; the interpreter."""
    assert route.python is not None
    table, target = plan.table, folder / "venv"
    torch = table.torch_bytes[table.pip_takes]
    steps.begin({_MAKE: _OVERHEAD, _LOCKED: table.packages_bytes, _TORCH: torch, **after}, note)
    steps.run(_MAKE, [route.python, "-m", "venv", target], folder, folder=plan.folder)
    interpreter = program_in(target)
    pip: list[str | Path] = [
        interpreter, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off",
        "--retries", "3", "--timeout", "30", "--only-binary", ":all:",
    ]  # fmt: skip
    # pip keeps its downloads until all is unpacked.
    requirements, watch = plan.root / "requirements", [steps.temporary, target]
    locked = [*pip, "--no-deps", "--require-hashes", "-r", requirements / "backend.lock"]
    grows = table.packages_bytes + table.unpacked_packages
    steps.run(_LOCKED, locked, folder, folder=plan.folder, watch=watch, grows=grows)
    grows = torch + table.unpacked_torch(table.pip_takes)
    steps.run(_TORCH, [*pip, "-r", requirements / "torch.txt"], folder, folder=plan.folder, watch=watch, grows=grows)
    return interpreter


def _finished(route: Route, plan: Plan, folder: Path, found: Check) -> Environment:
    environment = Environment(
        folder=folder,
        interpreter=found.interpreter,
        lock=plan.lock,
        device=plan.device,
        devices=tuple(device.name for device in found.devices),
        python=found.python,
        torch=found.torch,
        tool=route.tool,
        platform=platform_name(),
        made=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    finish(environment)
    return environment
