# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program that must not outlive Blender: `python lifeline.py PROGRAM ARGUMENTS…`.

This process's stdin is the lifeline. The system closes it when Blender goes, however it goes, and then the program ends
at once, with all it has started. A download of minutes would else go on, for nobody. Standard library only; no bpy.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Run the program; its exit code."""
    try:
        child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{sys.argv[1]} cannot be started: {error.strerror}", file=sys.stderr)
        return 127
    threading.Thread(target=_watch, args=(child,), daemon=True).start()
    return child.wait()


def _watch(child: subprocess.Popen[bytes]) -> None:
    """End everything as soon as nobody holds the other end."""
    while os.read(0, 1):
        pass
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(child.pid)], capture_output=True, check=False)
        os._exit(1)
    os.killpg(0, signal.SIGKILL)  # of this group, which was made for this program


if __name__ == "__main__":
    sys.exit(main())
