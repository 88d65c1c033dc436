# SPDX-License-Identifier: GPL-3.0-or-later
"""One file from a package index, by its name and SHA-256, with progress and a cancel that works at once. No bpy.

The index is Python's own, or the one that UV_DEFAULT_INDEX, UV_INDEX_URL or PIP_INDEX_URL names, as studios with a
mirror set it. Proxies are the system's.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from ...inference_backend.errors import Cancelled, SetupFailed
from .setup_table import PinnedFile

_INDEX: Final = "https://pypi.org/simple"
_TIMEOUT_SECONDS: Final = 20.0
_CHUNK: Final = 1 << 16
_POLL_SECONDS: Final = 0.1


def index_url() -> str:
    """Where packages come from."""
    named = (os.environ.get(name) for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"))
    return next((url for url in named if url), _INDEX).rstrip("/")


def fetch(
    project: str,
    file: PinnedFile,
    folder: Path,
    report: Callable[[int], None],
    cancelled: Callable[[], bool],
) -> Path:
    """Download a file of a project into a folder, unless it is there already; its path.

    `report` gets the bytes that are there, ten times a second.

    Raises:
        SetupFailed: the index has no such file, or it has another content.
        OSError: of the network or the disk, as urllib raises it.
        Cancelled: within 0.1 s of the wish, whatever the network does.
    """
    target = folder / file.name
    if target.is_file() and _sha256(target) == file.sha256:
        return target
    transfer = _Transfer(project, file, folder)
    transfer.start()
    while transfer.is_alive():
        if cancelled():
            transfer.given_up = True
            raise Cancelled("stopped on request", hint="Start it again when you like.")
        report(transfer.done)
        time.sleep(_POLL_SECONDS)
    if transfer.error is not None:
        raise transfer.error
    transfer.part.replace(target)
    return target


class _Transfer(threading.Thread):
    """The download itself, which may hang in the system for as long as the timeout; given up, it ends by itself."""

    def __init__(self, project: str, file: PinnedFile, folder: Path) -> None:
        super().__init__(daemon=True, name="pchmr-download")
        self._project = project
        self._file = file
        self.part = folder / f"{file.name}.{secrets.token_hex(3)}.part"
        self.done = 0
        self.given_up = False
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._receive(_file_url(self._project, self._file.name))
        except Exception as error:  # raised again in the thread that waits
            self.error = error
        if self.error is not None or self.given_up:
            self.part.unlink(missing_ok=True)

    def _receive(self, url: str) -> None:
        digest = hashlib.sha256()
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer, self.part.open("wb") as part:
            while (chunk := answer.read(_CHUNK)) and not self.given_up:
                part.write(chunk)
                digest.update(chunk)
                self.done += len(chunk)
        if not self.given_up and digest.hexdigest() != self._file.sha256:
            raise SetupFailed(
                f"{self._file.name} is not the file that is pinned",
                hint="Somebody on the way changes downloads, or the connection broke: try again, or another network.",
                reason="hash",
                expected=self._file.sha256,
                found=digest.hexdigest(),
            )


class _Links(HTMLParser):
    """The links of an index's page, by their text: the files' names."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._href: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._href = dict(attrs).get("href")

    def handle_data(self, data: str) -> None:
        if self._href is not None and data.strip():
            self.found[data.strip()] = self._href
            self._href = None


def _file_url(project: str, name: str) -> str:
    """Where the index has the file. HTML, which every index can."""
    page = f"{index_url()}/{project}/"
    request = urllib.request.Request(page, headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
        links = _Links()
        links.feed(answer.read().decode("utf-8", "replace"))
        base: str = answer.url
    if name not in links.found:
        raise SetupFailed(
            f"{base} has no {name}", hint="Use an index that has it, or a Python of this machine.", reason="no_build"
        )
    return urllib.parse.urljoin(base, links.found[name])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
