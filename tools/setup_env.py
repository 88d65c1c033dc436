"""Makes the project's own environment: `make` runs this, and it is all that is needed where there is no make.

    python tools/setup_env.py            the backend, in .venv
    python tools/setup_env.py --dev      with what tests and checks need

(On Windows: `py tools\\setup_env.py`.) It prints the interpreter to use afterwards:

    .venv/bin/python -m inference_backend reconstruct CLIP --out DIR        (Windows: .venv\\Scripts\\python)

Versions and hashes come from requirements/*.lock; see requirements/torch.txt for torch. Stamps in .venv hold what was
installed, so the next run takes a moment. BlazePose's two model files are put into .cache/models, or into the folder
that PCHMR_MODELS names. Any Python from 3.8 on may run this; the environment gets 3.10 to 3.14. Standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
MODELS_ENV = "PCHMR_MODELS"
OLDEST, NEWEST = (3, 10), (3, 14)
# 3.11 first: most of the tests run on it.
CANDIDATES = [["python3.11"], ["python3.12"], ["python3.13"], ["python3.10"], ["python3.14"], ["python3"], ["python"]]
CANDIDATES += [["py", f"-3.{minor}"] for minor in (11, 12, 13, 10, 14)]
LOCKED = ["--no-deps", "--require-hashes", "-r"]


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description="Make the project's environment.")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", metavar="DIR", help="where (default: .venv)")
    parser.add_argument("--dev", action="store_true", help="with what tests and checks need")
    options = parser.parse_args()
    python = environment(options.venv.absolute())
    install(python, "backend", [[*LOCKED, "backend.lock"], ["-r", "torch.txt"]])
    if options.dev:
        install(python, "dev", [[*LOCKED, "dev.lock"]])
    install_models(python)
    print(python)


def environment(folder: Path) -> Path:
    """The environment's interpreter; made where there is none, or one whose Python has gone."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if version([str(python)]) is None:
        base = next((one for one in [*CANDIDATES, [sys.executable]] if usable(one)), None)
        if base is None:
            sys.exit(f"No Python 3.{OLDEST[1]} to 3.{NEWEST[1]} with venv was found: install one and put it on PATH.")
        print(f"making {folder} with {' '.join(base)}", flush=True)
        run([*base, "-m", "venv", "--clear", str(folder)])
    return python


def version(command: list[str]) -> tuple[int, int] | None:
    """Version of the interpreter a command starts; None where it does not start, as a launcher without its Python."""
    program = shutil.which(command[0])
    if program is None:
        return None
    code = "import ensurepip, sys, venv; print(*sys.version_info[:2])"
    done = subprocess.run([program, *command[1:], "-c", code], capture_output=True, text=True, check=False)
    words = done.stdout.split()
    return (int(words[0]), int(words[1])) if done.returncode == 0 and len(words) == 2 else None


def usable(command: list[str]) -> bool:
    """Whether an environment can be made with it."""
    found = version(command)
    return found is not None and OLDEST <= found <= NEWEST


def install(python: Path, name: str, steps: list[list[str]]) -> None:
    """Run pip for each step (its last word is a file of requirements/), unless that was done with the same content."""
    content = b"".join((LOCKS / step[-1]).read_bytes() for step in steps)
    digest = hashlib.sha256(content).hexdigest()
    stamp = python.parent.parent / f"{name}.stamp"
    if stamp.is_file() and stamp.read_text() == digest:
        return
    for *flags, file in steps:
        print(f"installing {file}", flush=True)
        run([str(python), "-m", "pip", "install", "--disable-pip-version-check", *flags, str(LOCKS / file)])
    stamp.write_text(digest)


def install_models(python: Path) -> None:
    """BlazePose's model files; those that are right are kept."""
    env = {**os.environ, MODELS_ENV: os.environ.get(MODELS_ENV) or str(ROOT / ".cache" / "models")}
    command = [str(python), "-m", "inference_backend", "models", "--install"]
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def run(command: list[str]) -> None:
    """Run a program; its failure is ours."""
    done = subprocess.run(command, check=False)
    if done.returncode:
        sys.exit(f"failed: {' '.join(command)}")


if __name__ == "__main__":
    main()
