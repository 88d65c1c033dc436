"""Setting a backend up for real, by pip and by uv's commands, into folders of the test; and checking interpreters.

A tiny backend stands for the real one, pip installs it without an index. uv is a script that keeps what it is told.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
import venv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from inference_backend import __version__
from inference_backend.weights import REGISTRY
from pchmr.inference_backend.errors import (
    Cancelled,
    DiskFull,
    EnvironmentInvalid,
    NoNetwork,
    OutputNotWritable,
    SetupFailed,
)
from pchmr.inference_backend.folder_lock import FolderLock
from pchmr.pchmr_blender.backend import environment_folder
from pchmr.pchmr_blender.backend import install as installing
from pchmr.pchmr_blender.backend.environment import (
    Device,
    Environment,
    Plan,
    SetupProgress,
    check,
    environments,
    find,
    install,
    plan,
    remove,
)
from pchmr.pchmr_blender.backend.programs import clean_environment, run_logged

from .processes import LINUX, PATIENCE, children, gone
from .tiny_backend import ANSWER, make_backend

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="programs made of a script")
PYTHON = Path(sys.executable)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The tiny backend's root and the folder of its wheels."""
    folder = tmp_path_factory.mktemp("tiny backend ü")
    return make_backend(folder / "root", folder / "wheels"), folder / "wheels"


@pytest.fixture
def root(source: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny backend, which pip finds without a network."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", source[1].as_uri())
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)
    return source[0]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with pip."""
    folder = tmp_path_factory.mktemp("template") / "venv"
    venv.create(folder, with_pip=True)
    return folder


@pytest.fixture
def quick(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environments are copied: pip's bootstrap takes seconds. One test makes a real one."""
    real = installing.Steps.run

    def run(steps: Any, stage: str, command: Sequence[str | Path], *words: Any, **more: Any) -> None:
        if list(command[1:3]) == ["-m", "venv"]:
            shutil.copytree(template, command[3], symlinks=True)
            steps.show(stage, 0)
        else:
            real(steps, stage, command, *words, **more)

    monkeypatch.setattr(installing.Steps, "run", run)


def pip_plan(folder: Path, root: Path) -> Plan:
    """By pip, with the Python that runs this test."""
    made = plan(folder, device=Device.CPU, interpreter=PYTHON, root=root)
    return dataclasses.replace(made, routes=tuple(route for route in made.routes if route.tool == "pip"))


def quietly(progress: SetupProgress) -> None:
    pass


def settled(folder: Path) -> set[str]:
    """Names in the folder, when what was discarded is gone."""
    for thread in threading.enumerate():
        if thread.name == "pchmr-discard":
            thread.join()
    return {path.name for path in folder.iterdir()}


def test_pip_makes_an_environment_that_is_found_and_replaced_and_removed(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my bäckend"
    reports: list[SetupProgress] = []
    found_meanwhile: list[Environment | None] = []

    def report(progress: SetupProgress) -> None:
        reports.append(progress)
        found_meanwhile.append(find(folder, root=root))

    made = install(pip_plan(folder, root), report, lambda: False)
    assert set(found_meanwhile) == {None}
    assert find(folder, root=root) == made
    assert find(folder) is None  # this one is not for the real backend
    assert (made.tool, made.torch, made.devices) == ("pip", "2.0", ("cpu",))
    assert made.interpreter.is_relative_to(folder)
    stages = list(dict.fromkeys(progress.stage for progress in reports))
    assert stages == [
        "making the environment",
        "installing packages",
        "installing PyTorch",
        "getting BlazePose's models",
        "starting the backend",
    ]
    fractions = [progress.fraction for progress in reports]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < fractions[-1] <= 1
    assert all(0 <= progress.done <= progress.total and not progress.note for progress in reports)
    assert settled(folder) == {"CACHEDIR.TAG", "setup.log", "setup.lock", made.folder.name}
    log = (folder / "setup.log").read_text("utf-8")
    assert "Successfully installed tinylocked-1.0" in log
    assert "an abacus" in log
    assert check(made.interpreter, root=root).devices[0].label == "an abacus"

    again = install(pip_plan(folder, root), quietly, lambda: False)
    assert again.folder != made.folder
    assert find(folder, root=root) == again
    assert made.folder.name not in settled(folder)

    assert remove(folder) > 1_000_000
    assert not folder.exists()


def test_where_uv_cannot_be_had_pip_is_taken_and_it_is_said(
    quick: None, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closed_port() as address:
        monkeypatch.setenv("UV_DEFAULT_INDEX", address)
        reports: list[SetupProgress] = []
        whole = plan(tmp_path / "b", device=Device.CPU, interpreter=PYTHON, root=root)
        assert [route.tool for route in whole.routes] == ["uv", "pip"]
        made = install(whole, reports.append, lambda: False)
    assert made.tool == "pip"
    assert reports[0].stage == "getting uv"
    assert reports[-1].note.startswith(
        "getting uv: the server cannot be reached. With pip and this machine's Python 3."
    )
    assert settled(tmp_path / "b") == {"CACHEDIR.TAG", "setup.log", "setup.lock", made.folder.name}


class closed_port:  # noqa: N801
    """The address of a server that refuses."""

    def __enter__(self) -> str:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        os.environ["no_proxy"] = "127.0.0.1"
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        del os.environ["no_proxy"]


def test_offline_is_an_error_of_the_network_and_leaves_nothing(
    quick: None, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with closed_port() as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        with pytest.raises(NoNetwork) as caught:
            install(plan(tmp_path / "b", device=Device.CPU, interpreter=PYTHON, root=root), quietly, lambda: False)
    assert caught.value.facts["reason"] == "offline"
    assert len(caught.value.facts["attempts"]) == 2
    assert Path(caught.value.facts["log"]).is_file()
    assert find(tmp_path / "b", root=root) is None
    assert settled(tmp_path / "b") == {"CACHEDIR.TAG", "setup.log", "setup.lock", "downloads"}


def test_a_wheel_with_another_hash_is_refused(quick: None, root: Path, tmp_path: Path) -> None:
    other = tmp_path / "root"
    (other / "requirements").mkdir(parents=True)
    for file in (root / "requirements").iterdir():
        (other / "requirements" / file.name).write_bytes(file.read_bytes())
    (other / "requirements" / "backend.lock").write_text(f"tinylocked==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(SetupFailed) as caught:
        install(pip_plan(tmp_path / "b", other), quietly, lambda: False)
    assert caught.value.facts["reason"] == "hash"
    assert "tinylocked" in caught.value.facts["output"]
    assert environments(tmp_path / "b") == ()


@pytest.mark.parametrize("stage", ["making the environment", "installing packages", "starting the backend"])
def test_cancelling_leaves_no_environment(quick: None, root: Path, tmp_path: Path, stage: str) -> None:
    folder, reached = tmp_path / "b", threading.Event()

    def report(progress: SetupProgress) -> None:
        if progress.stage == stage:
            reached.set()

    with pytest.raises(Cancelled):
        install(pip_plan(folder, root), report, reached.is_set)
    assert find(folder, root=root) is None
    assert not any("-cpu-" in name for name in settled(folder))


def test_a_backend_that_does_not_start_is_no_environment(quick: None, root: Path, tmp_path: Path) -> None:
    other = tmp_path / "root"
    for folder in ("requirements", "inference_backend"):
        (other / folder).mkdir(parents=True)
        for file in (root / folder).glob("*.*"):
            (other / folder / file.name).write_bytes(file.read_bytes())
    (other / "inference_backend" / "installation.py").write_text("raise OSError('libtorch.so: cannot open')")
    with pytest.raises(EnvironmentInvalid, match=r"libtorch\.so"):
        install(pip_plan(tmp_path / "b", other), quietly, lambda: False)
    assert environments(tmp_path / "b") == ()


def test_too_little_space_is_told_before_anything_is_downloaded(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = pip_plan(tmp_path / "b", root)
    route = dataclasses.replace(wanted.routes[0], disk_bytes=10**18)
    ran: list[object] = []
    monkeypatch.setattr(installing.Steps, "run", lambda *words, **more: ran.append(words))
    with pytest.raises(DiskFull) as caught:
        install(dataclasses.replace(wanted, routes=(route,)), quietly, lambda: False)
    assert caught.value.facts["wanted"] == 10**18
    assert not ran


def test_two_setups_at_once_are_refused(root: Path, tmp_path: Path) -> None:
    environment_folder.claim(tmp_path / "b")
    lock = FolderLock(tmp_path / "b" / "setup.lock")
    try:
        with pytest.raises(OutputNotWritable, match="another job"):
            install(pip_plan(tmp_path / "b", root), quietly, lambda: False)
    finally:
        lock.release()


@LINUX
def test_no_program_of_a_setup_outlives_a_killed_blender(tmp_path: Path) -> None:
    script = Path(__file__).with_name("lonely_setup.py")
    setup = subprocess.Popen([sys.executable, str(script), str(tmp_path)])
    files = (tmp_path / "outer", tmp_path / "inner")
    until = time.monotonic() + PATIENCE
    while not all(file.is_file() and file.read_text() for file in files):
        assert setup.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < until
        time.sleep(0.02)
    numbers = {int(file.read_text()) for file in files} | children(setup.pid)
    assert len(numbers) == 3
    setup.kill()
    setup.wait()
    assert gone(numbers)


def test_a_program_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        code = run_logged(
            [tmp_path / "no program"],
            log,
            folder=tmp_path,
            environment=clean_environment(),
            cancelled=lambda: False,
            tick=lambda: None,
        )
    assert code
    assert "no program cannot be started" in (tmp_path / "log").read_text("utf-8")


# uv


# The interpreter's path may hold spaces, which a line of "#!" cannot: a shell starts it, and Python reads a text there.
FAKE_UV = """#!/bin/sh
'''exec' {quoted} "$0" "$@"
' '''
import glob, json, os, subprocess, sys, zipfile
log = os.path.join(os.path.dirname(sys.argv[0]), os.pardir, "told.jsonl")
kept = {{name: value for name, value in os.environ.items() if name.startswith(("UV_", "TMP", "PIP_"))}}
with open(log, "a") as file:
    file.write(json.dumps([sys.argv[1:], kept]) + chr(10))
if sys.argv[1] == "venv":
    if "--managed-python" in sys.argv:
        sys.exit("error: error sending request for url")
    subprocess.run([{python!r}, "-m", "venv", "--without-pip", sys.argv[-1]], check=True)
else:
    python = sys.argv[sys.argv.index("--python") + 1]
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    place = subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip()
    for wheel in glob.glob({wheels!r} + "/*.whl"):
        zipfile.ZipFile(wheel).extractall(place)
"""


def fake_uv(wheels: Path) -> str:
    """The script, for this interpreter."""
    return FAKE_UV.format(python=sys.executable, quoted=shlex.quote(sys.executable), wheels=str(wheels))


@pytest.fixture
def with_uv(source: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The tiny backend, with an index on this machine that serves a uv made of a script."""
    root, wheels = source
    copy = tmp_path / "root"
    for folder in ("requirements", "inference_backend"):
        (copy / folder).mkdir(parents=True)
        for file in (root / folder).glob("*.*"):
            (copy / folder / file.name).write_bytes(file.read_bytes())
    index = tmp_path / "index"
    (index / "uv").mkdir(parents=True)
    with zipfile.ZipFile(index / "uv" / "uv-0.whl", "w") as wheel:
        wheel.writestr("uv-0.data/scripts/uv", fake_uv(wheels))
    (index / "uv" / "index.html").write_text('<a href="uv-0.whl">uv-0.whl</a>')
    table = json.loads((copy / "requirements" / "setup.json").read_text())
    (pinned,) = table["uv"]["wheels"].values()
    pinned["sha256"] = hashlib.sha256((index / "uv" / "uv-0.whl").read_bytes()).hexdigest()
    (copy / "requirements" / "setup.json").write_text(json.dumps(table))
    handler: Callable[..., http.server.BaseHTTPRequestHandler] = functools.partial(Silent, directory=str(index))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_CONSTRAINT"):
            monkeypatch.delenv(name, raising=False)
        yield copy
        server.shutdown()


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@POSIX
def test_uv_is_told_to_keep_to_our_folders_and_to_the_lock(
    with_uv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my bäckend"
    whole = plan(folder, device=Device.CPU, interpreter=PYTHON, root=with_uv)
    # With a Python of its own first, which this uv cannot download.
    own = dataclasses.replace(whole.routes[0], python=None)
    reports: list[SetupProgress] = []
    made = install(dataclasses.replace(whole, routes=(own, *whole.routes)), reports.append, lambda: False)
    assert made.tool == "uv"
    assert made.torch == "2.0"
    assert "server cannot be reached" in reports[-1].note
    told = [json.loads(line) for line in (folder / "told.jsonl").read_text("utf-8").splitlines()]
    (own_python, _), (venv_words, _), (install_words, variables) = told
    assert own_python[:4] == ["venv", "--managed-python", "--python", "3.11"]
    assert venv_words[1:3] == ["--no-managed-python", "--python"]
    assert venv_words[-1] == str(made.folder / "venv")
    assert install_words[:2] == ["pip", "install"]
    assert install_words[install_words.index("--torch-backend") + 1] == "cpu"
    for name in ("backend.lock", "torch.txt"):
        assert str(with_uv / "requirements" / name) in install_words
    assert variables["UV_DEFAULT_INDEX"] == os.environ["PIP_INDEX_URL"]
    for name in ("UV_CACHE_DIR", "UV_PYTHON_INSTALL_DIR", "TMPDIR", "PIP_CACHE_DIR"):
        assert Path(variables[name]).is_relative_to(folder)


# check


def test_check_tells_versions_devices_and_models() -> None:
    found = check(PYTHON)
    assert found.backend == __version__
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert {device.name for device in found.devices} >= {"cpu"}
    assert {model.name for model in found.models} == REGISTRY.keys()
    assert dict(found.packages).keys() >= {"torch", "numpy", "scipy", "av"}
    text = "\n".join(found.lines)
    assert f"PyTorch {found.torch}" in text
    assert "CC0-1.0" in text


def refused(interpreter: Path, root: Path) -> EnvironmentInvalid:
    with pytest.raises(EnvironmentInvalid) as caught:
        check(interpreter, root=root)
    assert caught.value.hint
    error: EnvironmentInvalid = caught.value
    return error


def test_a_python_without_torch_is_told(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    error = refused(tmp_path / "bare", environment_folder.ROOT)
    assert error.facts["reason"] == "torch_missing"
    assert "torch" in error.message


def test_what_is_no_python_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path / "nothing", environment_folder.ROOT).facts["reason"] == "missing"
    (tmp_path / "text").write_text("text")
    assert refused(tmp_path / "text", environment_folder.ROOT).facts["reason"] == "not_python"


def answering(root: Path, answer: str, version: str = "7.0") -> Path:
    """A root whose backend answers so."""
    (root / "inference_backend").mkdir(parents=True)
    (root / "inference_backend" / "__init__.py").write_text(f'__version__ = "{version}"\n')
    (root / "inference_backend" / "installation.py").write_text(answer)
    return root


def problem(name: str, version: str | None, words: str) -> str:
    packages = [{"name": name, "version": version, "problem": words}]
    return f"print({json.dumps({**ANSWER, 'packages': packages})!r})"


@pytest.mark.parametrize(
    ("answer", "reason", "hint"),
    [
        (problem("scipy", None, "ModuleNotFoundError: x"), "package_missing", "backend.lock"),
        (problem("torch", "2.0", "OSError: [WinError 126] c10.dll"), "broken", "Visual C++"),
        (problem("av", "2.0", "ImportError: libx.so: undefined symbol"), "broken", "again"),
        ("raise SystemExit('Illegal instruction')", "broken", "again"),
        ("print('{')\nraise SystemExit(1)", "broken", "again"),
    ],
)
def test_what_is_wrong_with_an_environment_is_told(tmp_path: Path, answer: str, reason: str, hint: str) -> None:
    error = refused(PYTHON, answering(tmp_path / "r", answer))
    assert error.facts["reason"] == reason
    assert hint in error.hint


def test_another_version_of_the_backend_is_told(tmp_path: Path) -> None:
    error = refused(PYTHON, answering(tmp_path / "r", f"print({json.dumps(ANSWER)!r})", version="8.0"))
    assert error.facts["reason"] == "other_version"
    assert "7.0" in error.message
    assert "8.0" in error.message


def test_a_check_can_be_cancelled(tmp_path: Path) -> None:
    root = answering(tmp_path / "r", "import time; open('started', 'w'); time.sleep(600)")
    with pytest.raises(Cancelled):
        check(PYTHON, root=root, cancelled=(root / "started").exists)
