"""A client to be killed, as Blender may be: `lonely_client.py PYTHON LOG METHOD PARAMS [--quit]`.

It starts the server with further methods, calls METHOD, and prints the server's number at the first progress that is
not about loading. Then it waits for its death; with `--quit` it leaves as Blender does at its quit: without a word.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
package = ModuleType("pchmr")
package.__path__ = [str(ROOT)]
sys.modules["pchmr"] = package

from pchmr.pchmr_blender.backend.client import Client  # noqa: E402
from pchmr.pchmr_blender.backend.process import Launch  # noqa: E402


def main() -> None:
    """Live up to the first progress, and wait."""
    python, log, method, params, *quits = sys.argv[1:]
    server = str(Path(__file__).with_name("odd_server.py"))
    client = Client.start(Launch(Path(python), ROOT, Path(log), {"OMP_NUM_THREADS": "1"}, (server,)))
    call = client.call(method, json.loads(params))
    while call.progress is None or call.progress.stage == "load":
        client.pump(0.1)
        assert not call.done, call.error
    print(client.pid, flush=True)
    if not quits:
        time.sleep(600)


if __name__ == "__main__":
    main()
