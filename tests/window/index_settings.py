"""How this machine's pip and uv reach the package index, so that they do inside a Blender root, too."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from blender_root import Bind

_INHERITED: Final = re.compile(r"(PIP|UV)_\w+|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|\w+_proxy", re.IGNORECASE)


def variables() -> dict[str, str]:
    """pip's own settings, of files and variables, as variables; uv's; certificates; proxies."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^(?:global|install)\.([a-z-]+)=(.*)$", listed, re.MULTILINE)
    settings = {
        f"PIP_{name.replace('-', '_').upper()}": " ".join(ast.literal_eval(text).split()) for name, text in found
    }
    return settings | {name: value for name, value in os.environ.items() if _INHERITED.fullmatch(name)}


def binds(settings: dict[str, str]) -> list[Bind]:
    """The files and folders that they name."""
    words = [word for value in settings.values() for word in value.split()]
    paths = [Path(unquote(urlsplit(word).path)).parent for word in words if word.startswith("file:")]
    paths += [Path(word) for word in words if word.startswith("/")]
    return [Bind(path) for path in dict.fromkeys(paths) if path.exists()]


def trouble(settings: dict[str, str]) -> str:
    """Why the index cannot be reached; empty where it can."""
    url = settings.get("UV_DEFAULT_INDEX") or settings.get("PIP_INDEX_URL") or "https://pypi.org/simple"
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/uv/", timeout=20):
            return ""
    except (OSError, urllib.error.URLError) as error:
        return f"the package index cannot be reached: {error}"
