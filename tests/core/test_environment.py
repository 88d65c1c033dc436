"""The backend's environment: its folder, what is found in it, the plan, downloads, and errors with names."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import json
import os
import platform
import re
import shutil
import socket
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pchmr.inference_backend.errors import (
    BadArgument,
    Cancelled,
    DiskFull,
    EnvironmentInvalid,
    NoNetwork,
    OutputNotWritable,
    SetupFailed,
)
from pchmr.inference_backend.folder_lock import FolderLock
from pchmr.pchmr_blender.backend import downloads, folders, interpreters, programs, setup_plan, setup_table
from pchmr.pchmr_blender.backend.environment import Device, Environment, cache_folder, environments, find, plan, remove
from pchmr.pchmr_blender.backend.environment_folder import ROOT, begin, claim, discard, finish, is_ours, sweep
from pchmr.pchmr_blender.backend.interpreters import Interpreter
from pchmr.pchmr_blender.backend.setup_errors import named_failure
from pchmr.pchmr_blender.backend.setup_table import PinnedFile, lock_digest, platform_name, read_table
from pchmr.pchmr_blender.backend.uv import get_uv

REQUIREMENTS = ROOT / "requirements"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="programs made of a script")
PLATFORMS = ("linux-x86_64", "linux-aarch64", "windows-amd64", "macos-arm64")


def finished(folder: Path, *, lock: str | None = None, device: Device = Device.CPU, made: str = "2026") -> Environment:
    """An environment that is made of nothing but what `find` looks at."""
    claim(folder)
    lock = lock or lock_digest(REQUIREMENTS)
    place = begin(folder, lock, device)
    (place / "python").write_text("")
    environment = Environment(
        place, place / "python", lock, device, ("cpu",), "3.11.7", "2.13.0+cpu", "pip", platform_name(), made
    )
    finish(environment)
    return environment


# the folder


@pytest.mark.parametrize(
    ("system", "variable", "inside"),
    [("linux", "XDG_CACHE_HOME", ("pchmr", "backend")), ("win32", "LOCALAPPDATA", ("pchmr", "backend"))],
)
def test_the_folder_follows_the_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, variable: str, inside: tuple[str, ...]
) -> None:
    monkeypatch.delenv("PCHMR_BACKEND", raising=False)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setenv(variable, str(tmp_path))
    assert cache_folder() == tmp_path.joinpath(*inside)
    monkeypatch.delenv(variable)
    assert cache_folder().is_relative_to(Path.home())


def test_the_folder_on_macos_and_by_override(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PCHMR_BACKEND", raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder().parts[-4:] == ("Library", "Caches", "pchmr", "backend")
    monkeypatch.setenv("PCHMR_BACKEND", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert find(tmp_path / "nothing") is None
    assert environments(tmp_path) == ()
    assert remove(tmp_path / "nothing") == 0


def test_an_environment_counts_from_its_stamp_on(tmp_path: Path) -> None:
    folder = tmp_path / "a földér"
    claim(folder)
    place = begin(folder, lock_digest(REQUIREMENTS), Device.CPU)
    assert place.name.startswith(lock_digest(REQUIREMENTS))
    assert find(folder) is None
    made = finished(folder)
    assert find(folder) == made
    assert environments(folder) == (made,)


def test_the_newest_of_this_version_is_found(tmp_path: Path) -> None:
    finished(tmp_path, made="2026-01-01")
    newest = finished(tmp_path, made="2026-03-01", device=Device.CUDA)
    finished(tmp_path, made="2026-02-01")
    other = finished(tmp_path, made="2026-04-01", lock="0123456789")
    assert find(tmp_path) == newest
    assert environments(tmp_path)[0] == other


def test_an_environment_tells_that_its_device_was_not_found(tmp_path: Path) -> None:
    assert not finished(tmp_path).lacks_device
    assert finished(tmp_path, device=Device.CUDA).lacks_device


def test_an_environment_without_its_python_or_of_another_machine_is_none(tmp_path: Path) -> None:
    one = finished(tmp_path)
    finish(dataclasses.replace(one, platform="amiga-68000"))
    assert find(tmp_path) is None
    assert len(environments(tmp_path)) == 1
    finish(one)
    one.interpreter.unlink()
    assert environments(tmp_path) == ()


@pytest.mark.parametrize("stamp", ["", "{", "[]", "{}", '{"device": "abacus"}'])
def test_a_stamp_that_is_none_is_no_environment(tmp_path: Path, stamp: str) -> None:
    one = finished(tmp_path)
    (one.folder / "environment.json").write_text(stamp)
    assert find(tmp_path) is None


def test_a_folder_that_holds_other_things_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_text("")
    with pytest.raises(BadArgument, match=re.escape(str(tmp_path))):
        claim(tmp_path)
    claim(tmp_path / "new" / "one")
    claim(tmp_path / "new" / "one")
    assert is_ours(tmp_path / "new" / "one")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputNotWritable):
        claim(tmp_path / "file")


def test_what_was_given_up_is_swept_and_what_is_finished_stays(tmp_path: Path) -> None:
    kept = finished(tmp_path)
    given_up = begin(tmp_path, kept.lock, Device.CPU)
    (given_up / "half").write_text("")
    (tmp_path / "removed-0a1b2c").mkdir()
    (tmp_path / "mine").mkdir()
    sweep(tmp_path)
    assert not given_up.exists()
    assert not (tmp_path / "removed-0a1b2c").exists()
    assert (tmp_path / "mine").exists()
    assert find(tmp_path) == kept


def test_discarding_takes_an_environment_away_at_once(tmp_path: Path) -> None:
    one = finished(tmp_path)
    discard(one.folder)
    assert find(tmp_path) is None
    assert not one.folder.exists()
    for thread in threading.enumerate():
        if thread.name == "pchmr-discard":
            thread.join()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CACHEDIR.TAG"]


def test_remove_deletes_only_what_is_ours(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    one = finished(folder)
    (one.folder / "data").write_bytes(bytes(1000))
    (one.folder / "data").chmod(0o444)
    (folder / "downloads").mkdir()
    (folder / "downloads" / "file").write_bytes(bytes(500))
    (folder / "setup.log").write_text("")
    (folder / "of mine").write_text("")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("")
    if sys.platform != "win32":
        (one.folder / "link").symlink_to(outside)
        (folder / f"{one.lock}-cpu-123456").symlink_to(outside)
    assert remove(folder) >= 1500
    assert find(folder) is None
    left = {path.name for path in folder.iterdir()}
    assert left - {f"{one.lock}-cpu-123456"} == {"of mine"}
    assert (outside / "file").is_file()


def test_remove_leaves_no_folder_behind_and_touches_no_other(tmp_path: Path) -> None:
    finished(tmp_path / "ours")
    remove(tmp_path / "ours")
    assert not (tmp_path / "ours").exists()
    lookalike = tmp_path / "theirs" / f"{lock_digest(REQUIREMENTS)}-cpu-123456"
    lookalike.mkdir(parents=True)
    assert remove(tmp_path / "theirs") == 0
    assert lookalike.is_dir()


def test_nothing_is_removed_while_a_setup_runs(tmp_path: Path) -> None:
    one = finished(tmp_path)
    lock = FolderLock(tmp_path / "setup.lock")
    try:
        with pytest.raises(OutputNotWritable):
            remove(tmp_path)
    finally:
        lock.release()
    assert find(tmp_path) == one


# the table


def test_the_digest_follows_the_lock_and_not_its_line_ends(tmp_path: Path) -> None:
    for name in ("backend.lock", "torch.txt"):
        text = (REQUIREMENTS / name).read_bytes()
        (tmp_path / name).write_bytes(text.replace(b"\n", b"\r\n"))
    assert lock_digest(tmp_path) == lock_digest(REQUIREMENTS)
    (tmp_path / "torch.txt").write_text("torch==1.0")
    assert lock_digest(tmp_path) != lock_digest(REQUIREMENTS)


def test_the_table_was_made_from_this_lock() -> None:
    table = json.loads((REQUIREMENTS / "setup.json").read_text("utf-8"))
    assert table["lock"] == lock_digest(REQUIREMENTS), "run tools/setup_table.py"
    locked = re.search(r'^UV = "uv==(.*)"', (ROOT / "tools" / "lock.py").read_text("utf-8"), re.MULTILINE)
    assert locked is not None
    assert table["uv"]["version"] == locked[1]
    assert table["platforms"].keys() == table["uv"]["wheels"].keys() == set(PLATFORMS)


@pytest.mark.parametrize("name", PLATFORMS)
def test_every_platform_has_its_sizes(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(setup_table, "platform_name", lambda: name)
    monkeypatch.setattr(platform, "mac_ver", lambda: ("", ("", "", ""), ""))
    table = read_table(REQUIREMENTS)
    assert re.fullmatch("[0-9a-f]{64}", table.uv.sha256)
    assert table.uv.name.startswith(f"uv-{table.uv_version}-")
    assert 50e6 < table.packages_bytes < 1e9
    assert table.pip_takes in table.torch_bytes
    assert all(50e6 < size < 10e9 and table.unpacked_torch(device) > size for device, size in table.torch_bytes.items())


def test_machines_that_torch_has_no_builds_for_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(setup_table, "platform_name", lambda: "macos-x86_64")
    with pytest.raises(SetupFailed, match="macos-x86_64"):
        read_table(REQUIREMENTS)
    monkeypatch.setattr(setup_table, "platform_name", lambda: "macos-arm64")
    monkeypatch.setattr(platform, "mac_ver", lambda: ("13.6", ("", "", ""), "arm64"))
    with pytest.raises(SetupFailed, match="macOS 13"):
        read_table(REQUIREMENTS)
    with pytest.raises(SetupFailed, match="cannot be read"):
        read_table(tmp_path)


# the plan


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Interpreter]:
    """A PC with Linux, and the Pythons that are found on it, to be changed."""
    found = [Interpreter(Path("/opt/python3.11"), (3, 11, 4), True)]
    monkeypatch.setattr(setup_table, "platform_name", lambda: "linux-x86_64")
    monkeypatch.setattr(platform, "mac_ver", lambda: ("", ("", "", ""), ""))
    monkeypatch.setattr(setup_plan, "find_interpreters", lambda: tuple(found))
    monkeypatch.setattr(setup_plan, "guess_device", lambda: Device.CPU)
    return found


def test_the_plan_says_what_comes_from_where_how_large_and_whereto(here: list[Interpreter], tmp_path: Path) -> None:
    made = plan(tmp_path / "not there" / "yet")
    assert [(route.tool, route.python) for route in made.routes] == [
        ("uv", None),
        ("uv", Path("/opt/python3.11")),
        ("pip", Path("/opt/python3.11")),
    ]
    assert made.device is Device.CPU
    text = "\n".join(made.lines)
    for said in (
        "562 MB",
        "246 MB",
        "PyTorch for the CPU",
        "Python 3.11",
        "PyPI",
        "GitHub",
        "npm",
        "If that fails: with pip",
    ):
        assert said in text
    assert str(tmp_path / "not there" / "yet") in text
    assert made.free_bytes > 0
    assert not (tmp_path / "not there").exists()


def test_the_plan_for_cuda_is_larger(here: list[Interpreter], tmp_path: Path) -> None:
    cpu, cuda = plan(tmp_path, device=Device.CPU), plan(tmp_path, device=Device.CUDA)
    assert cuda.routes[0].size > 5 * cpu.routes[0].size
    assert cuda.routes[0].disk_bytes > cuda.routes[0].size
    assert "PyTorch for CUDA" in "\n".join(cuda.lines)
    with pytest.raises(SetupFailed, match="mps"):
        plan(tmp_path, device=Device.MPS)


def test_pip_takes_what_its_index_has(here: list[Interpreter], tmp_path: Path) -> None:
    uv, _, pip = plan(tmp_path, device=Device.CPU).routes
    assert pip.size > uv.size
    assert any("CUDA" in download.name for download in pip.downloads)


def test_without_a_python_there_is_only_uv(here: list[Interpreter], tmp_path: Path) -> None:
    here[:] = []
    assert [(route.tool, route.python) for route in plan(tmp_path).routes] == [("uv", None)]


def test_a_chosen_python_is_taken(here: list[Interpreter], tmp_path: Path) -> None:
    chosen = Path(sys.executable)
    made = plan(tmp_path, interpreter=chosen)
    assert {route.tool for route in made.routes} == {"uv", "pip"}
    assert {route.python for route in made.routes} == {interpreters.inspect(chosen).path}
    with pytest.raises(EnvironmentInvalid):
        plan(tmp_path, interpreter=tmp_path / "nothing")


def test_a_python_without_its_bootstrap_serves_uv(
    here: list[Interpreter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.insert(0, Interpreter(Path("/usr/bin/python3"), (3, 11, 2), False))
    assert [(route.tool, route.python) for route in plan(tmp_path).routes[1:]] == [
        ("uv", Path("/usr/bin/python3")),
        ("pip", Path("/opt/python3.11")),
    ]
    monkeypatch.setattr(setup_plan, "inspect", lambda path: Interpreter(path, (3, 12, 0), False))
    assert [route.tool for route in plan(tmp_path, interpreter=Path("/usr/bin/python3")).routes] == ["uv"]


# errors


@pytest.mark.parametrize(
    ("output", "kind", "reason"),
    [
        ("cause: dns error\n cause: failed to lookup address: Name or service not known", NoNetwork, "offline"),
        ("<urlopen error [Errno 11001] getaddrinfo failed>", NoNetwork, "offline"),
        ("NewConnectionError: [Errno 111] Connection refused\nERROR: No matching distribution", NoNetwork, "offline"),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))", NoNetwork, "proxy"),
        ("tunnel error: proxy authorization required", NoNetwork, "proxy"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate in chain", NoNetwork, "certificate"),
        ("invalid peer certificate: UnknownIssuer", NoNetwork, "certificate"),
        ("HTTP Error 403: Forbidden", NoNetwork, "refused"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", SetupFailed, "hash"),
        ("cause: Hash mismatch for `six==1.17.0`", SetupFailed, "hash"),
        ("ERROR: No matching distribution found for torch==2.13.0", SetupFailed, "no_build"),
        ("error: No solution found when resolving dependencies", SetupFailed, "no_build"),
        ("OSError: [Errno 28] No space left on device", DiskFull, "disk"),
        ("[WinError 112] There is not enough space on the disk", DiskFull, "disk"),
        ("Segmentation fault", SetupFailed, "unknown"),
    ],
)
def test_what_installers_say_becomes_a_named_error(output: str, kind: type, reason: str) -> None:
    error = named_failure("installing packages", output, Path("setup.log"))
    assert type(error) is kind
    assert error.facts["reason"] == reason
    assert error.facts["output"] == output
    assert error.message.startswith("installing packages")
    assert error.hint


# downloads


class Index(http.server.SimpleHTTPRequestHandler):
    """A package index of files."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the index that the environment names, served on this machine."""
    folder = tmp_path / "index"
    (folder / "uv").mkdir(parents=True)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Index, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield folder
        server.shutdown()


def offer(index: Path, name: str, content: bytes) -> PinnedFile:
    """Put a file into the index, with its page."""
    (index / "files").mkdir(exist_ok=True)
    (index / "files" / name).write_bytes(content)
    page = f'<!DOCTYPE html><a href="../files/other">other</a><br>\n<a href="../files/{name}#sha256=0">{name}</a>'
    (index / "uv" / "index.html").write_text(page)
    return PinnedFile(name, hashlib.sha256(content).hexdigest(), len(content))


def fetch(file: PinnedFile, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return downloads.fetch("uv", file, folder, lambda done: None, lambda: False)


def test_a_file_comes_from_the_index_and_stays(index: Path, tmp_path: Path) -> None:
    file = offer(index, "uv-1.whl", b"wheel" * 50_000)
    assert fetch(file, tmp_path / "here").read_bytes() == b"wheel" * 50_000
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["uv-1.whl"]
    shutil.rmtree(index / "files")
    assert fetch(file, tmp_path / "here").is_file()


def test_another_content_is_refused_and_not_kept(index: Path, tmp_path: Path) -> None:
    file = dataclasses.replace(offer(index, "uv-1.whl", b"wheel"), sha256="0" * 64)
    with pytest.raises(SetupFailed) as caught:
        fetch(file, tmp_path / "here")
    assert caught.value.facts["found"] == hashlib.sha256(b"wheel").hexdigest()
    assert list((tmp_path / "here").iterdir()) == []


def test_an_index_without_the_file_is_told(index: Path, tmp_path: Path) -> None:
    offer(index, "uv-1.whl", b"wheel")
    with pytest.raises(SetupFailed, match=r"uv-2\.whl"):
        fetch(PinnedFile("uv-2.whl", "0", 1), tmp_path / "here")


def test_an_index_that_is_not_there_is_an_error_of_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(OSError, match="refused") as caught:
            fetch(PinnedFile("uv-1.whl", "0", 1), tmp_path / "here")
    assert isinstance(named_failure("getting uv", str(caught.value), Path("log")), NoNetwork)


def test_a_download_that_hangs_can_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # connections wait in its queue for ever
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{silent.getsockname()[1]}")
        asked: list[int] = []
        with pytest.raises(Cancelled):
            downloads.fetch(
                "uv", PinnedFile("uv", "0", 1), tmp_path, lambda done: asked.append(done), lambda: len(asked) > 1
            )


def test_uv_is_taken_out_of_its_wheel(index: Path, tmp_path: Path) -> None:
    table = read_table(REQUIREMENTS)
    name = "uv.exe" if sys.platform == "win32" else "uv"
    with zipfile.ZipFile(tmp_path / "wheel", "w") as wheel:
        wheel.writestr(f"uv-{table.uv_version}.data/scripts/{name}", "program")
    file = offer(index, "uv.whl", (tmp_path / "wheel").read_bytes())
    program = get_uv(dataclasses.replace(table, uv=file), tmp_path, lambda done: None, lambda: False)
    assert program.read_text() == "program"
    assert os.access(program, os.X_OK)
    with pytest.raises(SetupFailed, match="holds no"):
        get_uv(dataclasses.replace(table, uv=file, uv_version="9"), tmp_path, lambda done: None, lambda: False)


# programs


@POSIX
def test_a_cancelled_program_takes_its_children_along(tmp_path: Path) -> None:
    child = f"import os, time; open({str(tmp_path / 'id')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(Cancelled):
        programs.ask([sys.executable, "-c", code], timeout=60, cancelled=lambda: bool(written(tmp_path / "id")))
    number = int(written(tmp_path / "id"))
    for _ in range(100):  # whoever inherits it buries it
        state = Path(f"/proc/{number}/stat")
        if not alive(number) or (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"):
            return
        time.sleep(0.05)
    pytest.fail("the grandchild lives on")


def written(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_program_sees_neither_our_python_nor_our_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONSAFEPATH", "PYTHONWARNINGS", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "astray")
    code = "import os, sys; print(os.environ.get('PYTHONPATH'), sys.stdin.read() == '', 'ö'); sys.exit(3)"
    done = programs.ask([sys.executable, "-c", code], timeout=60)
    assert (done.code, done.stdout.strip(), done.stderr) == (3, "None True ö", "")


def test_a_stop_that_is_asked_for_while_a_program_ends_counts() -> None:
    with pytest.raises(Cancelled):
        programs.ask([sys.executable, "-c", ""], timeout=60, cancelled=lambda: True)


def test_a_program_that_takes_too_long_is_ended() -> None:
    with pytest.raises(programs.TimedOut):
        programs.ask([sys.executable, "-c", "import time; time.sleep(600)"], timeout=0.2)


def test_sizes_of_folders_count_everything_below(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "one").write_bytes(bytes(10))
    (tmp_path / "a" / "b" / "two").write_bytes(bytes(20))
    assert folders.folder_size(tmp_path) == 30
    assert folders.folder_size(tmp_path / "nothing") == 0
