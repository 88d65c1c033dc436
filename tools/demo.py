"""The main job on one clip, from footage to a .blend and a rendered picture: `make demo`.

    .venv/bin/python tools/demo.py demo/demo.mp4 --out out              (more options reach the batch: --height 1.82)

With Blender as a Python module (tools/blender_env.py) the clip becomes a take, a .blend, a movie of the body over the
footage and a picture of it. Where that module cannot be had, it says why, and makes the take and a plain movie of it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

import blender_env

ROOT: Final = Path(__file__).resolve().parent.parent
SERIES: Final = "5.0"


def main() -> int:
    """The exit code of what failed, or 0."""
    parser = argparse.ArgumentParser(description="Footage to take, .blend and picture.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="default: out")
    options, more = parser.parse_known_args()
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    blender = blender_env.make(blender_env.locks()[SERIES])
    if blender.problem:
        print(f"no .blend is made: Blender {blender.version} as a module: {blender.problem}", file=sys.stderr)
        return without_blender(options.clip, out, more)
    return with_blender(blender.python, options.clip, out, more)


def with_blender(python: Path, clip: Path, out: Path, more: list[str]) -> int:
    """Take, .blend, movie and picture. What Blender itself prints goes to a log."""
    log = out / "blender.log"
    batch = [str(python), str(ROOT / "pchmr_blender" / "batch.py"), "--", str(clip), "--out", str(out), "--preview"]
    with log.open("wb") as stream:
        code = subprocess.run([*batch, "--interpreter", sys.executable, *more], stdout=stream, check=False).returncode
    if code:
        print(f"what Blender printed: {log}", file=sys.stderr)
        return code
    picture = out / f"{clip.stem}.png"
    movie = picture.with_suffix(".preview.mp4")
    middle(movie, picture)
    print(f"scene:   {picture.with_suffix('.blend')}")
    print(f"movie:   {movie}")
    print(f"picture: {picture}")
    return 0


def without_blender(clip: Path, out: Path, more: list[str]) -> int:
    """Take and plain movie."""
    take = out / f"{clip.stem}.take"
    backend = [sys.executable, "-m", "inference_backend"]
    for command in (["reconstruct", str(clip), "--out", str(take), *more], ["render", str(take)]):
        code = subprocess.run([*backend, *command], cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


def middle(movie: Path, picture: Path) -> None:
    """A picture of the frame in the middle of a movie."""
    import av
    import cv2

    with av.open(str(movie)) as container:
        stream = container.streams.video[0]
        wanted = stream.frames // 2
        image = next(f.to_ndarray(format="bgr24") for n, f in enumerate(container.decode(stream)) if n == wanted)
    # Encoded in memory: OpenCV writes to no path beyond ASCII on Windows.
    picture.write_bytes(cv2.imencode(picture.suffix, image)[1].tobytes())


if __name__ == "__main__":
    sys.exit(main())
