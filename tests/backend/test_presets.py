"""Presets: files are read back, and what they may not say is named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from inference_backend import presets
from inference_backend.errors import PresetInvalid
from inference_backend.presets import (
    OPTIONS,
    SOLVE_FOLDER,
    SolvePreset,
    dump,
    load_preset,
    option_table,
    override,
    result_settings,
)


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "mine ü.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


OTHER = {
    "height": 1.85, "workers": 3, "device": "cpu", "calibration.form": "bone", "calibration.strength": 0.5,
    "calibration.non_rigid": False, "fit.enabled": False, "fit.smoothness": 1e-05, "camera.focal": 1234.5,
    "trajectory.enabled": False, "suspects.threshold": 0.25,
}  # fmt: skip


# Reading and writing.


@pytest.mark.parametrize("name", sorted(file.stem for file in SOLVE_FOLDER.glob("*.toml")))
def test_shipped_presets_are_valid(name: str) -> None:
    assert isinstance(load_preset(name), SolvePreset)


def test_the_three_presets_are_there() -> None:
    assert {"default", "fast", "accurate"} <= {file.stem for file in SOLVE_FOLDER.glob("*.toml")}
    iterations = [load_preset(name).fit.iterations for name in ("fast", "default", "accurate")]
    assert iterations == sorted(set(iterations))


def test_default_file_names_every_setting_with_its_default() -> None:
    text = (SOLVE_FOLDER / "default.toml").read_text(encoding="utf-8")
    assert load_preset("default") == SolvePreset()
    assert text.endswith(dump(SolvePreset())), "write it again with presets.dump(SolvePreset())"


@pytest.mark.parametrize("values", [{}, OTHER])
def test_dump_is_read_back(tmp_path: Path, values: dict) -> None:
    preset = override(SolvePreset(), values, "test")
    assert load_preset(write(tmp_path, dump(preset))) == preset


def test_file_names_only_what_differs(tmp_path: Path) -> None:
    preset = load_preset(write(tmp_path, "height = 2\n[fit]\niterations = 7\n[camera]\n"))
    assert preset == override(SolvePreset(), {"height": 2.0, "fit.iterations": 7}, "test")
    assert isinstance(preset.height, float)


def test_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    assert load_preset(write(tmp_path, b"\xef\xbb\xbfworkers = 3\r\n")).workers == 3


def test_override_leaves_the_original() -> None:
    preset = SolvePreset()
    changed = override(preset, OTHER, "command line")
    assert preset == SolvePreset()
    assert changed.calibration.form == "bone"
    assert changed.calibration.points == preset.calibration.points
    with pytest.raises(dataclasses.FrozenInstanceError):
        changed.fit.iterations = 3  # type: ignore[misc]


# What a setting allows.


def test_every_default_is_allowed_and_told() -> None:
    text = option_table()
    for key, option in OPTIONS.items():
        assert option.accepts(option.default), key
        assert option.text, key
        assert option.allowed in text, key
        assert key in text


def test_every_field_is_an_option() -> None:
    def keys(owner: object, prefix: str) -> list[str]:
        found = []
        for entry in dataclasses.fields(owner):  # type: ignore[arg-type]
            value = getattr(owner, entry.name)
            found += keys(value, f"{entry.name}.") if dataclasses.is_dataclass(value) else [prefix + entry.name]
        return found

    assert sorted(keys(SolvePreset(), "")) == sorted(OPTIONS)


@pytest.mark.parametrize("key", [key for key, option in OPTIONS.items() if option.number])
def test_ranges_include_their_ends(key: str) -> None:
    option = OPTIONS[key]
    kind = int if option.number is int else float
    for value in (option.low, option.high):
        assert option.accepts(kind(value))
    for value in (option.low - 1, option.high + 1):
        assert not option.accepts(kind(value))


@pytest.mark.parametrize(
    ("text", "key", "value", "allowed"),
    [
        ("fit.iterations = 0", "fit.iterations", "0", "whole number 1 to 5000"),
        ("fit.iterations = 1.0", "fit.iterations", "1.0", "whole number 1 to 5000"),
        ("fit.iterations = true", "fit.iterations", "True", "whole number 1 to 5000"),
        ("height = '1.7'", "height", "'1.7'", "number 0.5 to 2.5"),
        ("height = nan", "height", "nan", "number 0.5 to 2.5"),
        ("height = inf", "height", "inf", "number 0.5 to 2.5"),
        ("height = [1.7]", "height", "[1.7]", "number 0.5 to 2.5"),
        ("[fit]\nenabled = 1", "fit.enabled", "1", "true, false"),
        ("[calibration]\nform = 'Chain'", "calibration.form", "'Chain'", '"bone", "torso", "chain"'),
        ("[camera]\nfocal = 'wide'", "camera.focal", "'wide'", '"auto", number 1 to 100000'),
        ("device = 1979-05-27", "device", "datetime.date(1979, 5, 27)", '"auto", "cpu", "cuda", "mps"'),
    ],
)
def test_value_that_is_not_allowed(tmp_path: Path, text: str, key: str, value: str, allowed: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(PresetInvalid) as caught:
        load_preset(path)
    assert caught.value.facts == {"file": str(path), "key": key, "value": value, "allowed": allowed}
    for part in (str(path), key, value, allowed):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ("hight = 1.7", "hight", "height"),
        ("[calibraton]\nform = 'chain'", "calibraton.form", "calibration.form"),
        ("[fit]\niteration = 3", "fit.iteration", "fit.iterations"),
        ("form = 'bone'", "form", "calibration.form"),
        ("[height]\nmetres = 1.7", "height.metres", "height"),
        ("[zzz]", "zzz", None),
        ("fit = 3", "fit", None),
    ],
)
def test_unknown_setting(tmp_path: Path, text: str, key: str, nearest: str | None) -> None:
    path = write(tmp_path, text)
    with pytest.raises(PresetInvalid) as caught:
        load_preset(path)
    assert caught.value.facts["key"] == key
    assert caught.value.facts["nearest"] == nearest
    assert str(path) in caught.value.message
    told = f"Did you mean {nearest}? It allows {OPTIONS[nearest].allowed}" if nearest else "Settings: height, estimator"
    assert told in caught.value.hint


@pytest.mark.parametrize("text", ["height = ", "height = 1\nheight = 2", b"height = 1 # \xfc", "[fit", b"\x00"])
def test_file_that_is_no_toml(tmp_path: Path, text: str | bytes) -> None:
    path = write(tmp_path, text)
    with pytest.raises(PresetInvalid) as caught:
        load_preset(path)
    assert str(path) in caught.value.message


def test_no_such_preset(tmp_path: Path) -> None:
    with pytest.raises(PresetInvalid, match="no preset acurate in") as caught:
        load_preset("acurate")
    assert "Did you mean accurate? Presets there: accurate, default, fast" in caught.value.hint
    with pytest.raises(PresetInvalid, match="No such file"):
        load_preset(tmp_path / "no.toml")


def test_no_presets_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "SOLVE_FOLDER", tmp_path)
    with pytest.raises(PresetInvalid) as caught:
        load_preset("default")
    assert "Presets there: none" in caught.value.hint


# What a take is compared by.


def test_result_settings_leave_out_how_it_is_computed() -> None:
    same = override(SolvePreset(), {"workers": 7, "device": "cpu", "suspects.threshold": 0.9}, "test")
    assert result_settings(same) == result_settings(SolvePreset())
    for key, value in OTHER.items():
        changed = result_settings(override(SolvePreset(), {key: value}, "test")) != result_settings(SolvePreset())
        assert changed == OPTIONS[key].changes_result, key
    assert json.loads(json.dumps(result_settings(SolvePreset()))) == result_settings(SolvePreset())
