"""Puts trained weights into the package: copies them to `assets/` and writes their hashes.

python -m inference_backend train publish
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..weights import ASSETS

WEIGHTS = ("lifter.pt", "proxy.pt", "calibration.npz")


def publish(folder: Path) -> list[str]:
    """Copies every weight file that is in `folder` and rewrites `SHA256SUMS`; returns its lines."""
    for name in WEIGHTS:
        source = folder / name
        if source.exists():
            (ASSETS / name).write_bytes(source.read_bytes())
    bundled = sorted(path for path in ASSETS.iterdir() if path.suffix in (".npz", ".pt"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in bundled]
    (ASSETS / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return lines
