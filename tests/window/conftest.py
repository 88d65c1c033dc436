"""A real Blender with the extension's archive installed: what every test of the window starts from.

Where a Blender root cannot be made, the tests are skipped with the reason. What they print and show lies in out/window.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import blender_env
import blender_root
import build_extension
import pytest
from blender_root import Bind, BlenderRoot
from blender_window import OUT, Window

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CLIP = ROOT / "demo" / "demo.mp4"
PACKAGE = "bl_ext.user_default.pchmr"


def make_root(suite: str) -> BlenderRoot:
    """Skips the test where there is none."""
    root = _root_or_reason(suite)
    if isinstance(root, str):
        pytest.skip(f"Blender of Debian {suite}: {root}")
    return root


@functools.cache
def _root_or_reason(suite: str) -> BlenderRoot | str:
    """Tried once: what fails takes minutes too."""
    try:
        return blender_root.make(suite)
    except blender_root.NoRootError as error:
        return str(error)


@pytest.fixture(scope="session", autouse=True)
def _alone() -> Iterator[None]:
    with alone():
        yield


@pytest.fixture(autouse=True)
def _only_what_tells() -> Iterator[None]:
    """Of a test's folder, what its Blender printed, showed and made is kept; its profiles take a gigabyte in all."""
    yield
    while _profiles:
        shutil.rmtree(_profiles.pop(), ignore_errors=True)


_profiles: list[Path] = []
"""What the test that runs now has installed for itself."""


@contextmanager
def alone() -> Iterator[None]:
    """One run at a time: a second one would sweep away the pictures of the first."""
    if sys.platform != "linux":  # no root is made there, and no test runs
        yield
        return
    import fcntl

    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def archive() -> Path:
    """The extension's zip, made by the builder of the newest bpy."""
    made = [blender_env.make(lock) for lock in blender_env.locks().values()]
    pythons = [one.python for one in made if not one.problem]
    if not pythons:
        pytest.skip(f"no builder for the extension: {made[-1].problem}")
    return build_extension.build(build_extension.builder_of_wheel(pythons[-1]), OUT)


HIGH = "1280x1500"
"""A window in which the preferences need no scrolling."""


def install_alone(root: BlenderRoot, archive: Path, name: str) -> Window:
    """A window with a clean profile into which the archive was installed: no backend, and an interpreter of this
    machine to make one with."""
    out = OUT / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    _profiles.extend((out / "user", out / "cache", out / "data"))
    shutil.copyfile(archive, out / archive.name)
    path = f"{Path(sys.base_prefix) / 'bin'}:{blender_root.PATH_INSIDE}"
    places = {"XDG_CACHE_HOME": "/out/cache", "XDG_DATA_HOME": "/out/data"}
    window = Window(
        root,
        out=out,
        user=out / "user",
        binds=interpreter_binds(),
        env={**places, "OMP_NUM_THREADS": "2", "PATH": path},
    )
    status = window.command(
        "--python-exit-code", "1", "--command", "extension", "install-file", "-r", "user_default", "--enable",
        f"/out/{archive.name}",
    )  # fmt: skip
    assert status == 0, log(window, "blender")
    (out / archive.name).unlink()
    return window


def install(root: BlenderRoot, archive: Path, name: str) -> Window:
    """The same, and a backend chosen by its path.

    Inside is no network, so the backend's environment is this one: interpreter, packages and models are shown there.
    """
    alone = install_alone(root, archive, name)
    models = Path(os.environ.get("PCHMR_MODELS") or _models_folder())
    window = replace(
        alone,
        binds=[*alone.binds, *([Bind(models)] if models.is_dir() else [])],
        env={**alone.env, "PCHMR_MODELS": str(models), "BACKEND_PYTHON": sys.executable},
    )
    status = window.command("-b", "--python-exit-code", "1", "--python", str(HERE / "choose_backend.py"))
    assert status == 0, log(window, "blender")
    return window


def log(window: Window, name: str) -> str:
    """What a Blender printed."""
    return (window.out / f"{name}.log").read_text("utf-8", "replace")


def interpreter_binds() -> list[Bind]:
    """What the interpreter of these tests needs to be seen of, to run inside a root."""
    base = Path(sys.base_prefix)
    needed = [Path(sys.prefix)]
    if base == Path("/usr"):  # the root has a /usr of its own
        needed += [Path(sys.executable).resolve(), Path(os.__file__).parent]
    else:
        needed.append(base)
    return [Bind(path) for path in dict.fromkeys(needed)]


def _models_folder() -> str:
    code = "import inference_backend.weights as w; print(w.models_folder())"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
