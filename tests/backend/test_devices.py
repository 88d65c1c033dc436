"""Where the networks run."""

from __future__ import annotations

import pytest

from inference_backend import devices
from inference_backend.devices import available, choose_device
from inference_backend.errors import BadArgument


def test_the_cpu_is_always_there_and_last():
    assert available()[-1] == "cpu"
    assert choose_device("cpu") == "cpu"


def test_auto_is_the_fastest(monkeypatch):
    monkeypatch.setattr(devices, "available", lambda: ("mps", "cpu"))
    assert choose_device("auto") == "mps"
    assert choose_device("cpu") == "cpu"


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(devices, "available", lambda: ("cpu",))
    with pytest.raises(BadArgument) as caught:
        choose_device("cuda")
    assert caught.value.facts == {"reason": "device", "wanted": "cuda", "available": ["cpu"]}
    assert "auto, cpu" in caught.value.hint
