"""A setup to be killed, as Blender may be: `lonely_setup.py FOLDER`. Its step starts a program that starts another.

Both write their numbers into FOLDER; nothing here ends by itself within the test's patience.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
package = ModuleType("pchmr")
package.__path__ = [str(ROOT)]
sys.modules["pchmr"] = package

from pchmr.pchmr_blender.backend.programs import clean_environment, run_logged  # noqa: E402

SLEEP = "import os, time; open('inner', 'w').write(str(os.getpid())); time.sleep(600)"
OUTER = (
    "import os, subprocess, sys; open('outer', 'w').write(str(os.getpid())); "
    f"subprocess.run([sys.executable, '-c', {SLEEP!r}])"
)


def main(folder: Path) -> None:
    """Run the step."""
    with (folder / "log").open("wb") as log:
        run_logged(
            [sys.executable, "-c", OUTER],
            log,
            folder=folder,
            environment=clean_environment(),
            cancelled=lambda: False,
            tick=lambda: None,
        )


main(Path(sys.argv[1]))
