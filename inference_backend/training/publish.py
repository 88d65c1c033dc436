"""Puts trained weights into the package: copies them to `assets/` and writes their hashes.

python -m inference_backend train publish
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import WeightsMissing
from ..weights import ASSETS

WEIGHTS = ("body.npz", "lifter.pt", "proxy.pt", "calibration.npz")


def publish(folder: Path) -> list[str]:
    """Copies every weight file that is in `folder` and rewrites `SHA256SUMS`; returns its lines.

    Raises:
        WeightsMissing: the folder has none of them.
    """
    made = [name for name in WEIGHTS if (folder / name).is_file()]
    if not made:
        raise WeightsMissing(
            f"{folder} holds none of {', '.join(WEIGHTS)}", hint="Train them first, or name their folder with --folder."
        )
    for name in made:
        (ASSETS / name).write_bytes((folder / name).read_bytes())
    bundled = sorted(path for path in ASSETS.iterdir() if path.suffix in (".npz", ".pt"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in bundled]
    (ASSETS / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return lines
