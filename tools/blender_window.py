"""Runs a Python file inside the window of a real Blender, on a virtual display, and keeps pictures of it.

    python tools/blender_window.py sid tests/window/inside_panel.py

What the file prints comes in OUT/<file's name>.log, the last picture in OUT/<file's name>.png; it ends the run by
writing an exit status to the file that the variable READY names (tests/window/drive.py does it). Inside, this
checkout is at its own path, OUT at /out, and there is no network unless one is asked for. See blender_root.py for what
it needs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import blender_root
from blender_root import Bind, BlenderRoot

ROOT: Final = blender_root.ROOT
OUT: Final = ROOT / "out" / "window"
TIMED_OUT: Final = 124
NO_SPLASH: Final = "import bpy; bpy.context.preferences.view.show_splash = False"
DISPLAY: Final = {"DISPLAY": ":9", "LIBGL_ALWAYS_SOFTWARE": "1", "READY": "/tmp/ready"}


@dataclass(frozen=True)
class Window:
    """A Blender with a window, and what is seen from inside."""

    root: BlenderRoot
    out: Path = OUT
    """Where pictures and logs go; /out inside."""
    user: Path | None = None
    """Blender's preferences and extensions; /user inside. None: factory settings, without any extension."""
    binds: Sequence[Bind] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    size: str = "1280x800"
    network: bool = False
    """Whether this machine's is seen inside."""

    def run(self, script: Path, *words: str, limit: int = 180) -> int:
        """Open the window, run a file in it, wait for its end or `limit` seconds; its exit status.

        Args:
            script: the Python file. words: more of Blender's command line, as a .blend to open.
        """
        name = script.stem
        start = ["bash", str(ROOT / "tools" / "blender_root_window.sh"), self.size, str(limit)]
        start += [
            f"/out/{name}.log",
            f"/out/{name}.png",
            "blender",
            "--window-geometry",
            "0",
            "0",
            *self.size.split("x"),
        ]
        start += [] if self.user else ["--factory-startup"]
        start += ["--python-exit-code", "1", "--python-expr", NO_SPLASH, *words, "--python", str(script.absolute())]
        # Compiled shaders stay in the root: the first start takes ten seconds more than the next.
        return self._inside(start, {**DISPLAY, "MESA_SHADER_CACHE_DIR": "/var/cache/mesa"})

    def command(self, *words: str) -> int:
        """Run Blender without its window, as for `--command extension`; its exit status. Prints go to blender.log."""
        return self._inside(["sh", "-c", 'exec blender "$@" >> /out/blender.log 2>&1', "sh", *words], {})

    def _inside(self, words: Sequence[str], env: Mapping[str, str]) -> int:
        self.out.mkdir(parents=True, exist_ok=True)
        binds = [Bind(ROOT), Bind(self.out, "/out", writable=True), *self.binds]
        resources = {}
        if self.user:
            self.user.mkdir(parents=True, exist_ok=True)
            binds.append(Bind(self.user, "/user", writable=True))
            resources["BLENDER_USER_RESOURCES"] = "/user"
        command = self.root.command(words, binds=binds, env={**env, **resources, **self.env}, network=self.network)
        return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode


def main() -> int:
    """Run one file."""
    parser = argparse.ArgumentParser(description="Run a Python file in the window of a real Blender.")
    parser.add_argument("suite", choices=blender_root.SUITES)
    parser.add_argument("script", type=Path)
    parser.add_argument("words", nargs="*", help="more of Blender's command line, as a .blend")
    parser.add_argument(
        "--user", type=Path, metavar="DIR", help="preferences and extensions; default: factory settings"
    )
    parser.add_argument("--limit", type=int, default=180, metavar="SECONDS")
    options = parser.parse_args()
    try:
        root = blender_root.make(options.suite)
    except blender_root.NoRootError as error:
        print(f"{options.suite}: {error}", file=sys.stderr)
        return 1
    status = Window(root, user=options.user).run(options.script, *options.words, limit=options.limit)
    print((OUT / f"{options.script.stem}.log").read_text("utf-8", "replace"), end="")
    return status


if __name__ == "__main__":
    sys.exit(main())
