"""The files of a clip: which images of a folder or a pattern are its frames, and by what it is known again.

Standard library only: Blender's add-on reads takes, which know their clip.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Final

from .errors import ClipNotFound, UnsupportedVideo

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
"""File name endings taken for frames, in lower case."""
_PLACES = re.compile(r"(%0?\d*d|#+|\*|\?|\[[^\]]+\])")
_SAMPLE_BYTES: Final = 1 << 20


def is_pattern(path: Path) -> bool:
    """Whether a path names a sequence by %04d, ####, *, ? or [0-9] in its last part, and no file or folder."""
    return bool(_PLACES.search(path.name)) and not path.exists()


def list_images(path: Path) -> list[Path]:
    """The frames of a folder or a pattern in natural order: 2 before 10.

    Raises ClipNotFound (no such folder, nothing fits the pattern) and UnsupportedVideo (a folder without images).
    """
    folder, name = (path.parent, path.name) if is_pattern(path) else (path, "*")
    if not folder.is_dir():
        raise ClipNotFound(f"There is no folder {folder}.", hint="Check the path.", path=str(path))
    fits = re.compile("".join(_as_regex(part) for part in _PLACES.split(name)), re.IGNORECASE)
    files = [
        file
        for file in folder.iterdir()
        if fits.fullmatch(file.name)
        and file.suffix.lower() in SUFFIXES
        and not file.name.startswith(".")
        and file.is_file()
    ]
    if not files and is_pattern(path):
        raise ClipNotFound(f"No image in {folder} fits {name}.", hint="Check the pattern.", path=str(path))
    if not files:
        raise UnsupportedVideo(
            f"The folder {path.name} holds no images.",
            hint=f"Give a movie file, or a folder with {', '.join(sorted(SUFFIXES))} files.",
            path=str(path),
        )
    return sorted(files, key=lambda file: (_natural(file.name), file.name))


def fingerprint(path: str | os.PathLike[str]) -> str:
    """sha256, 64 hex digits, that tells one clip from another without reading all of it.

    Of a movie: its size, its first and its last MiB. Of a sequence of images: the names and sizes of all, and the first
    and the last one in the same way. The path is no part of it.
    Raises ClipNotFound, and UnsupportedVideo for a folder without images.
    """
    clip = Path(path)
    sequence = clip.is_dir() or is_pattern(clip)
    digest = hashlib.sha256()
    try:
        files = list_images(clip) if sequence else [clip]
        for file in files:
            digest.update(f"{file.name if sequence else ''}|{file.stat().st_size}\n".encode("utf-8", "surrogateescape"))
        for file in dict.fromkeys((files[0], files[-1])):
            with file.open("rb") as stream:
                digest.update(stream.read(_SAMPLE_BYTES))
                stream.seek(max(0, file.stat().st_size - _SAMPLE_BYTES))
                digest.update(stream.read(_SAMPLE_BYTES))
    except OSError as error:
        raise ClipNotFound(
            f"the clip {clip} cannot be read: {error.strerror}",
            hint="Check the path, and that you may read the file.",
            path=str(clip),
        ) from error
    return digest.hexdigest()


def _as_regex(part: str) -> str:
    if part.startswith("%") and part.endswith("d") and len(part) > 1:
        digits = part[1:-1]
        return rf"\d{{{int(digits)},}}" if digits else r"\d+"
    if part.startswith("#"):
        return rf"\d{{{len(part)},}}"
    if part.startswith("[") and part.endswith("]"):
        inside = part[1:-1].replace("\\", "\\\\")
        return f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
    return {"*": ".*", "?": "."}.get(part, re.escape(part))


def _natural(name: str) -> list[tuple[int, str]]:
    """Digits by value, all else without regard to case."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
