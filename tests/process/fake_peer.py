"""A backend that is none: `fake_peer.py ACT...` does what it is told, line by line of what it reads.

Acts: `hello` (greet properly), `version` (greet as another version), `say:TEXT`, `echo` (answer the call), `wait`
(read a line, do nothing), `exit:CODE`, `close` (stdout only, and live on), `sleep` (without reading).
"""

from __future__ import annotations

import json
import os
import sys
import time


def say(text: str) -> None:
    """A line to the client, as it is."""
    os.write(1, text.encode() + b"\n")


def reply(number: int, result: object) -> None:
    """The good end of a call."""
    say(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}))


def main() -> None:
    """Act."""
    print("the fake peer begins", file=sys.stderr, flush=True)
    for act in sys.argv[1:]:
        name, _, rest = act.partition(":")
        if name in ("hello", "version"):
            asked = json.loads(sys.stdin.readline())
            version = asked["params"]["protocol"] + (name == "version")
            reply(asked["id"], {"protocol": version, "version": "0", "python": "3", "models": []})
        elif name == "say":
            say(rest)
        elif name == "echo":
            asked = json.loads(sys.stdin.readline())
            reply(asked["id"], asked["params"])
        elif name == "wait":
            sys.stdin.readline()
        elif name == "exit":
            print("the fake peer's last words", file=sys.stderr, flush=True)
            os._exit(int(rest))
        elif name == "close":
            os.close(1)
        elif name == "sleep":
            time.sleep(600)
    sys.stdin.read()


if __name__ == "__main__":
    main()
