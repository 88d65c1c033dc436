"""A real Blender in a folder: a small Debian with Blender, a virtual display and software OpenGL, to run tests in.

    python tools/blender_root.py sid                        make it (sid: the newest Blender; trixie: 4.3)
    python tools/blender_root.py sid -- blender --version   and run a command in it

The roots lie in .cache/roots. Making one needs Linux, root rights and debootstrap, a few minutes and 1.3 GB; a
finished one is left alone, an unfinished one gone on with. Commands run in namespaces of their own, without a network
unless they ask for it, and leave no mount and no process behind, however they end. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TOOLS: Final = Path(__file__).resolve().parent
ROOT: Final = TOOLS.parent
FOLDER: Final = ROOT / ".cache" / "roots"
SUITES: Final = ("trixie", "sid")
"""Debian's releases that the tests use, oldest Blender first."""
PACKAGES: Final = (
    "blender", "python3-numpy", "python3-cattr", "python3-requests", "python3-pytest",
    "xvfb", "xdotool", "scrot", "libgl1", "libglx-mesa0", "libegl1", "libegl-mesa0", "libgl1-mesa-dri",
)  # fmt: skip
"""Blender's own dependencies leave out numpy, which its exporters import, cattrs and requests, without which the
extension manager of 5.x does not start, and the OpenGL loaders that it opens by name; mesa-dri draws in software."""
MIRROR_ENV: Final = "PCHMR_DEBIAN_MIRROR"
PATH_INSIDE: Final = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


class NoRootError(Exception):
    """A root cannot be made or used on this machine; the message is one line for a person."""


@dataclass(frozen=True)
class Bind:
    """A folder or file of this machine, shown in the root."""

    outside: Path
    inside: str = ""
    """Where; empty: at the same path."""
    writable: bool = False


@dataclass(frozen=True)
class BlenderRoot:
    """A finished root."""

    path: Path

    def command(
        self,
        words: Sequence[str],
        *,
        binds: Sequence[Bind] = (),
        env: Mapping[str, str] | None = None,
        network: bool = False,
    ) -> list[str]:
        """The command line that runs `words` inside; /tmp there is new and empty, and nothing else of ours is seen.

        `network`: with this machine's.
        """
        shown: list[str] = []
        for bind in binds:
            outside, at = bind.outside.resolve(strict=True), bind.inside or str(bind.outside.absolute())
            shown += ["--write" if bind.writable else "--read", str(outside), at]
        inside = {"PATH": PATH_INSIDE, "HOME": "/tmp/home", "LANG": "C.UTF-8", **(env or {})}
        variables = [f"{name}={value}" for name, value in inside.items()]
        enter = str(TOOLS / "blender_root_enter.sh")
        first = ["bash", enter, str(self.path), *(["--network"] if network else [])]
        return [*first, *shown, "--", "env", "-i", *variables, *words]


def make(suite: str, folder: Path = FOLDER) -> BlenderRoot:
    """The root of a suite, made where it is missing; what apt prints goes to a log beside it.

    Raises NoRootError.
    """
    path, stamp = folder / suite, folder / suite / ".blender-root"
    _require_namespaces()
    wanted = " ".join((suite, *PACKAGES))
    if stamp.is_file() and stamp.read_text("utf-8").strip() == wanted:
        return BlenderRoot(path)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{suite}.log"
    with log.open("w", encoding="utf-8") as output:
        _bootstrap(suite, path, output.fileno())
        _configure(suite, path)
        _install(path, output.fileno())
    stamp.write_text(wanted + "\n", "utf-8")
    return BlenderRoot(path)


def _require_namespaces() -> None:
    """Raises NoRootError where this machine or this user cannot run a root."""
    if sys.platform != "linux":
        raise NoRootError("a Blender root needs Linux")
    if os.geteuid() != 0:
        raise NoRootError("a Blender root needs root rights (sudo)")
    if shutil.which("unshare") is None:
        raise NoRootError("a Blender root needs the program unshare (Debian's package util-linux)")
    probe = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--net", "--ipc", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode:
        raise NoRootError(f"this machine allows no namespaces of one's own ({probe.stderr.strip()})")


def _bootstrap(suite: str, path: Path, log: int) -> None:
    """Debian's base system."""
    done = path / ".debootstrapped"
    if done.exists():
        return
    if (path / "debootstrap").exists():  # what debootstrap itself left half-made
        shutil.rmtree(path)
    if path.is_dir() and any(path.iterdir()):
        raise NoRootError(f"{path} is neither empty nor a Blender root")
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if shutil.which("debootstrap") is None or not keyring.exists():
        if shutil.which("apt-get") is None:
            raise NoRootError("the program debootstrap is not installed")
        _run(["apt-get", "update", "-q"], log)
        _run(["apt-get", "install", "-yq", "--no-install-recommends", "debootstrap", "debian-archive-keyring"], log)
    path.mkdir(parents=True, exist_ok=True)
    # In namespaces of its own, so that no mount stays; and at /mnt, since it cannot work in a path with spaces.
    mount = 'mount --bind "$1" /mnt && shift && exec "$@"'
    words = ["debootstrap", "--variant=minbase", f"--keyring={keyring}", suite, "/mnt", _mirror(log)]
    _run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", mount, "sh", str(path), *words], log)
    done.touch()


def _mirror(log: int) -> str:
    """The Debian mirror of this machine's apt."""
    if os.environ.get(MIRROR_ENV):
        return os.environ[MIRROR_ENV]
    if shutil.which("apt-get") is not None:
        for _ in range(2):
            words = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN)/$(LABEL)", "Created-By: Packages"]
            targets = subprocess.run(words, capture_output=True, text=True, check=False).stdout
            found = [line.split()[0] for line in targets.splitlines() if line.split()[1:] == ["Debian/Debian"]]
            if found:
                return found[0]
            _run(["apt-get", "update", "-q"], log)
    raise NoRootError(f"apt knows no Debian mirror here; name one in {MIRROR_ENV}")


def _configure(suite: str, path: Path) -> None:
    """Small, quiet, and with this machine's way to the network."""
    slim = ["force-unsafe-io"]
    slim += [f"path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "info", "locale")]
    slim += ["path-include=/usr/share/doc/*/copyright"]
    (path / "etc/dpkg/dpkg.cfg.d/slim").write_text("\n".join(slim) + "\n", "utf-8")
    settings = ['Acquire::Languages "none";']
    if (
        suite == "sid"
    ):  # a mirror that lags serves its index past the week it is valid; signatures are checked all the same
        settings += ['Acquire::Check-Valid-Until "false";']
    if shutil.which("apt-config") is not None:
        dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
        proxies = ("Acquire::http::Proxy", "Acquire::https::Proxy")
        settings += [line for line in dump.splitlines() if line.startswith(proxies)]
    (path / "etc/apt/apt.conf.d/slim").write_text("\n".join(settings) + "\n", "utf-8")
    shutil.copyfile("/etc/resolv.conf", path / "etc/resolv.conf")
    mtab = path / "etc/mtab"  # Blender lists the file systems from it
    mtab.unlink(missing_ok=True)
    mtab.symlink_to("/proc/mounts")
    policy = path / "usr/sbin/policy-rc.d"  # no package starts a daemon
    policy.write_text("#!/bin/sh\nexit 101\n", "utf-8")
    policy.chmod(0o755)


def _install(path: Path, log: int) -> None:
    """Blender and what the tests need besides."""
    script = (
        "export DEBIAN_FRONTEND=noninteractive; apt-get update -q && "
        f"apt-get install -yq --no-install-recommends {shlex.join(PACKAGES)} && "
        "apt-get clean && rm -rf /var/lib/apt/lists/*"
    )
    enter = ["bash", str(TOOLS / "blender_root_enter.sh"), str(path), "--network", "--"]
    _run([*enter, "env", f"PATH={PATH_INSIDE}", "sh", "-c", script], log)


def _run(command: list[str], log: int) -> None:
    """Run a program, its output into the log. Raises NoRootError with its last words."""
    with tempfile.TemporaryFile() as output:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode
        output.seek(0)
        text = output.read()
    os.write(log, text)
    if code:
        lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines()]
        told = [line for line in lines if line and not line.startswith("W: See")]
        raise NoRootError(told[-1] if told else f"{command[0]} ended with {code}")


def main() -> int:
    """Make a root; run a command in it."""
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(description="A real Blender in a Debian of its own, for tests.")
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the roots lie (default: .cache/roots)")
    parser.add_argument("--read", type=Path, action="append", default=[], metavar="PATH", help="show it inside")
    parser.add_argument("--write", type=Path, action="append", default=[], metavar="PATH", help="show it, writable")
    options = parser.parse_args(arguments[:split])
    try:
        root = make(options.suite, options.folder.absolute())
    except NoRootError as error:
        print(f"{options.suite}: {error}", file=sys.stderr)
        return 1
    words = arguments[split + 1 :]
    if not words:
        print(root.path)
        return 0
    binds = [Bind(ROOT), *map(Bind, options.read), *(Bind(path, writable=True) for path in options.write)]
    return subprocess.run(root.command(words, binds=binds), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
