"""The command line as its users meet it: what goes where, which exit code, and what Ctrl-C does."""

from __future__ import annotations

import ast
import errno
import hashlib
import importlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inference_backend import pipeline
from inference_backend.cli import main
from inference_backend.cli.failures import PIPE_CLOSED, guarded
from inference_backend.cli.interrupt import cancel_on_interrupt
from inference_backend.cli.progress_bar import ProgressBar, duration, line
from inference_backend.errors import KINDS, Cancelled, ClipNotFound, NoPersonFound, WeightsMissing
from inference_backend.progress import MAX_RATE, Meter, Progress
from inference_backend.training import calibration, lifter, proxy
from inference_backend.video_writer import Mp4Writer
from inference_backend.weights import REGISTRY

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("reconstruct", "render", "serve", "models", "train", "evaluate", "bench")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes of POSIX")


def environment(models: Path | None = None) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", **({} if models is None else {"PCHMR_MODELS": str(models)})}


def call(*arguments: str | Path, models: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inference_backend", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment(models), capture_output=True, text=True, check=False)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "a clip.mp4"
    with Mp4Writer(path, 25, (64, 48)) as writer:
        for grey in range(5):
            writer.write(np.full((48, 64, 3), 40 * grey, np.uint8))
    return path


# help and options


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS), ("train", "lifter"), ("bench", "memory")])
def test_help_is_on_stdout(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "")
    assert out.startswith(" ".join(["usage: python -m inference_backend", *command]))


def test_help_names_commands_and_exit_codes() -> None:
    done = call("--help")
    words = re.sub(r"\s+", " ", done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"{kind.exit_code} {name}" in words for name, kind in KINDS.items())
    assert all(f" {command} " in words for command in COMMANDS)


def test_help_and_mistakes_load_no_library() -> None:
    code = (
        "import sys; from inference_backend.cli import main\n"
        "assert main(['reconstruct', 'x', '--out', 'y', '--height', '9']) == 2\n"
        "try: main(['--help'])\n"
        "finally:\n"
        "    loaded = {'torch', 'numpy', 'cv2', 'av', 'scipy', 'numba'} & set(sys.modules)\n"
        "    print(*loaded, 'end', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].split() == ["end"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "COMMAND"),
        (("reconstrukt",), "reconstrukt"),
        (("reconstruct", "x.mp4"), "--out"),
        (("reconstruct", "x.mp4", "--out", "y", "--heigth", "1.8"), "--heigth"),
        (("reconstruct", "x.mp4", "--out", "y", "--over"), "--over"),
        (("reconstruct", "x.mp4", "--out", "y", "--height", "tall"), "'tall'"),
        (("reconstruct", "x.mp4", "--out", "y", "--height", "9"), "height = 9"),
        (("reconstruct", "x.mp4", "--out", "y", "--height", "nan"), "nan"),
        (("reconstruct", "x.mp4", "--out", "y", "--height", "1.8,"), "''"),
        (("reconstruct", "x.mp4", "--out", "y", "--height", "1.8,1.7"), "2 heights for one person"),
        (("reconstruct", "x.mp4", "--out", "y", "--people", "all", "--height", "1.8,9"), "height = 9"),
        (("reconstruct", "x.mp4", "--out", "y", "--step", "0"), "--step"),
        (("reconstruct", "x.mp4", "--out", "y", "--start", "5", "--end", "5"), "--end 5"),
        (("reconstruct", "x.mp4", "--out", "y", "--people", "first"), "first"),
        (("reconstruct", "x.mp4", "--out", "y", "--set", "fit.enabled"), "fit.enabled"),
        (("reconstruct", "x.mp4", "--out", "y", "--set", "fit.enabled=maybe"), "fit.enabled = 'maybe'"),
        (("reconstruct", "x.mp4", "--out", "y", "--device", "abacus"), "abacus"),
        (("train", "lifter", "--motion", "/there/is/none.npz"), "none.npz"),
        (("evaluate", "suspects", "--test", "/there/is/none.npz"), "none.npz"),
        (("evaluate", "corrections", "--rendered", "/there/is/none.npz"), "none.npz"),
    ],
)
def test_bad_options(arguments: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    first, *hint = err.splitlines()
    assert out == ""
    assert first.startswith("BadArgument: ")
    assert named in first
    assert hint


# errors


def test_missing_clip(tmp_path: Path) -> None:
    done = call("reconstruct", tmp_path / "no ünder.mp4", "--out", tmp_path / "a.take")
    assert (done.returncode, done.stdout) == (10, "")
    assert done.stderr.startswith("ClipNotFound: ")
    assert done.stderr.splitlines()[1].startswith("  ")
    assert not (tmp_path / "a.take").exists()


def test_text_file_as_clip(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no video at all\n" * 100)
    done = call("reconstruct", tmp_path / "notes.mp4", "--out", tmp_path / "a.take")
    assert (done.returncode, done.stdout) == (11, "")
    assert "UnsupportedVideo: " in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_preset_names_file_key_and_allowed_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text('[calibration]\nform = "twist"\n')
    assert main(["reconstruct", "x.mp4", "--out", str(tmp_path / "a.take"), "--preset", str(preset)]) == 30
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("PresetInvalid: ")
    assert all(word in err for word in (str(preset), "calibration.form", "twist", '"chain"'))


def test_unknown_preset_names_those_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reconstruct", "x.mp4", "--out", "y", "--preset", "fastt"]) == 30
    assert "fast" in capsys.readouterr().err.splitlines()[1]


def test_missing_models_say_how_to_install(clip: Path, tmp_path: Path) -> None:
    done = call("reconstruct", clip, "--out", tmp_path / "a.take", models=tmp_path / "empty")
    assert (done.returncode, done.stdout) == (20, "")
    assert "models --install" in done.stderr
    assert not (tmp_path / "a.take").exists()


@pytest.mark.parametrize("content", [None, "{}", '{"format": "pchmr-take", "version": 999}'])
def test_no_take(tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    if content is not None:
        (tmp_path / "take.json").write_text(content)
    assert main(["render", str(tmp_path)]) == (41 if content and "999" in content else 40)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Take")
    assert not (tmp_path.parent / (tmp_path.name + ".mp4")).exists()


class OutOfMemoryError(RuntimeError):
    """Stands for torch's, by its name."""


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (NoPersonFound("nobody", hint="look"), "NoPersonFound"),
        (MemoryError(), "OutOfMemory"),
        (OutOfMemoryError("CUDA out of memory"), "OutOfMemory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 1 TB"), "OutOfMemory"),
        (OSError(errno.ENOSPC, "No space left on device", "weights.pt"), "DiskFull"),
        (PermissionError(errno.EACCES, "Permission denied", "weights.pt"), "OutputNotWritable"),
        (KeyboardInterrupt(), "Cancelled"),
        (RuntimeError("shape mismatch"), "Internal"),
        (OSError("no file at all"), "Internal"),
    ],
)
def test_any_exception_has_its_kind(
    raised: BaseException,
    kind: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def command() -> int:
        raise raised

    assert guarded(command) == KINDS[kind].exit_code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{kind}: ")
    assert "Traceback" not in err
    logs = list(tmp_path.glob("*.log"))
    assert len(logs) == (kind == "Internal")
    for log in logs:
        assert str(log) in err
        text = log.read_text("utf-8")
        assert "Traceback" in text
        assert str(raised) in text


def test_log_is_printed_where_it_cannot_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/there/is/no/such/folder")
    assert guarded(lambda: 1 // 0) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err.split("Traceback")[1]


def test_what_another_program_said_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> int:
        raise WeightsMissing("pip failed", hint="try again", output="no route\nto host")

    assert guarded(command) == 20
    assert capsys.readouterr().err == "WeightsMissing: pip failed\n  try again\n  | no route\n  | to host\n"


@POSIX
@pytest.mark.parametrize("buffering", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_nobody_reads_stdout(buffering: dict[str, str], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "inference_backend", "models"]
    env = {**environment(tmp_path), **buffering}
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (PIPE_CLOSED, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_stdout_on_a_full_disk(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "inference_backend", "models"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(tmp_path), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 51
    assert done.stderr.startswith("DiskFull: ")


# models


def test_models_tell_licences(tmp_path: Path) -> None:
    done = call("models", models=tmp_path / "my models")
    assert (done.returncode, done.stderr) == (0, "")
    for model in REGISTRY.values():
        assert model.license in done.stdout
        assert model.file_name in done.stdout
    assert str(tmp_path / "my models") in done.stdout
    assert "models --install" in done.stdout


def test_models_as_json(tmp_path: Path) -> None:
    done = call("models", "--json", models=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = {model["name"]: model for model in json.loads(done.stdout)["models"]}
    assert told.keys() == REGISTRY.keys()
    assert told["blazepose_detector"]["state"] == "missing"
    assert re.fullmatch("[0-9a-f]{64}", told["blazepose_detector"]["sha256"])
    assert all(model["license"] for model in told.values())


def test_corrupt_model_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PCHMR_MODELS", str(tmp_path))
    (tmp_path / REGISTRY["blazepose_detector"].file_name).write_bytes(b"cut short")
    assert main(["models", "--json"]) == 0
    states = {model["name"]: model["state"] for model in json.loads(capsys.readouterr().out)["models"]}
    assert (states["blazepose_detector"], states["blazepose_landmarks"]) == ("corrupt", "missing")


def test_wrong_wheel_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PCHMR_MODELS", str(tmp_path / "models"))
    (tmp_path / "other.whl").write_bytes(b"no archive")
    assert main(["models", "--install", "--wheel", str(tmp_path / "other.whl")]) == 21
    assert capsys.readouterr().out == ""


# what the commands hand on


def functions_imports() -> list[tuple[str, str, str]]:
    """(command, module, name) of everything that commands import when they run."""
    found = []
    for path in sorted((ROOT / "inference_backend" / "cli").glob("*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.ImportFrom) and node.level:
                        base = ".".join(["inference_backend", *(["cli"] if node.level == 1 else [])])
                        module = f"{base}.{node.module}" if node.module else base
                        found += [(path.stem, module, alias.name) for alias in node.names]
    return sorted(set(found))


@pytest.mark.parametrize(("command", "module", "name"), functions_imports())
def test_commands_lead_somewhere(command: str, module: str, name: str) -> None:
    if not hasattr(importlib.import_module(module), name):
        importlib.import_module(f"{module}.{name}")


def test_reconstruct_hands_its_options_on(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = []

    def reconstruct(settings, report, cancelled) -> Path:  # type: ignore[no-untyped-def]
        assert not cancelled()
        report(Progress("estimate", 3, 4, 10.0, 0.1))
        given.append(settings)
        raise Cancelled("enough", hint="go on")

    monkeypatch.setattr(pipeline, "reconstruct", reconstruct)
    options = {
        "--out": tmp_path / "t.take", "--people": "2", "--height": "1.82", "--focal": "900", "--preset": "fast",
        "--start": 1, "--end": 4, "--step": 2, "--fps": "50", "--workers": 3, "--device": "cpu",
    }  # fmt: skip
    arguments = [str(word) for option in options.items() for word in option]
    assert main(["reconstruct", str(clip), *arguments, "--set", "fit.iterations=7", "--overwrite"]) == 130
    (settings,) = given
    assert (settings.clip, settings.out, settings.people) == (clip, tmp_path / "t.take", "2")
    assert (settings.start, settings.end, settings.step, settings.fps) == (1, 4, 2, 50.0)
    assert settings.overwrite
    preset = settings.preset
    assert (preset.height, preset.camera.focal, preset.workers, preset.device) == (1.82, 900.0, 3, "cpu")
    assert preset.fit.iterations == 7
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"^estimate .* 3/4 .*10\.0/s", err, re.MULTILINE)
    assert err.splitlines()[-2:] == ["Cancelled: enough", "  go on"]


@pytest.mark.parametrize("module", [lifter, proxy, calibration])
def test_trainings_take_their_settings(
    module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = []

    def train(settings) -> None:  # type: ignore[no-untyped-def]
        given.append(settings)
        settings.out.write_bytes(b"weights")

    monkeypatch.setattr(module, "train", train)
    name = module.__name__.rpartition(".")[2]
    inputs = {"motion": tmp_path / "m.npz"} | ({} if name == "calibration" else {"rendered": tmp_path / "r.npz"})
    for path in inputs.values():
        path.write_bytes(b"data")
    out = tmp_path / "new folder" / "w.pt"
    paths = [str(word) for option, path in inputs.items() for word in (f"--{option}", path)]
    assert main(["train", name, *paths, "--out", str(out), "--minutes", "0.5", "--seed", "9"]) == 0
    assert main(["train", name, *paths, "--out", str(out)]) == 0
    assert (given[0].out, given[0].minutes, given[0].seed, given[0].threads) == (out, 0.5, 9, 1)
    assert given[1].minutes == type(given[1]).__dataclass_fields__["minutes"].default
    assert given[1].seed == type(given[1]).__dataclass_fields__["seed"].default
    told = capsys.readouterr().out
    assert f"{hashlib.sha256(b'weights').hexdigest()}  w.pt" in told.splitlines()


# progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_meter_reports_at_most_ten_times_a_second() -> None:
    clock, seen = Clock(), []
    meter = Meter(seen.append, clock=clock)
    for done in range(1001):
        clock.now = done / 500
        meter.stage("lift", done, 1000)
    assert 2 * MAX_RATE - 1 <= len(seen) <= 2 * MAX_RATE + 2
    assert (seen[0].done, seen[-1].done) == (0, 1000)


def test_meter_tells_speed_and_time_left_of_this_job() -> None:
    clock, seen = Clock(), []
    meter = Meter(seen.append, clock=clock)
    meter.stage("estimate", 600, 1000)  # resumed: those 600 took no time now
    clock.now = 30.0
    meter.stage("estimate", 601, 1000)  # the first step loads the networks
    clock.now = 34.0
    meter.stage("estimate", 801, 1000)
    assert seen[:2] == [Progress("estimate", 600, 1000), Progress("estimate", 601, 1000)]
    assert seen[2] == Progress("estimate", 801, 1000, 50.0, 199 / 50)


def test_meter_begins_again_for_another_stage_or_person() -> None:
    clock, seen = Clock(), []
    meter = Meter(seen.append, clock=clock)
    for name, done in (("lift", 0), ("lift", 9), ("mesh", 0), ("mesh", 9), ("mesh", 3)):
        clock.now += 0.01
        meter.stage(name, done, 10)
    assert [(p.stage, p.done) for p in seen] == [("lift", 0), ("mesh", 0), ("mesh", 3)]


def test_meter_cancels() -> None:
    seen: list[Progress] = []
    with pytest.raises(Cancelled):
        Meter(seen.append, lambda: True).stage("lift", 0, 10)
    assert seen == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_without_a_terminal() -> None:
    clock, stream = Clock(), io.StringIO()
    with ProgressBar(stream, clock) as bar:
        for done in range(101):
            clock.now = done / 20
            bar(Progress("lift", done, 100, 20.0, (100 - done) / 20))
    assert "\r" not in stream.getvalue()
    assert [int(row.split("]")[1].split("/")[0]) for row in stream.getvalue().splitlines()] == [0, 40, 80, 100]


def test_one_line_per_stage_on_a_terminal() -> None:
    stream = Terminal()
    with ProgressBar(stream) as bar:
        for stage in ("lift", "mesh"):
            for done in (0, 5, 10):
                bar(Progress(stage, done, 10))
        bar(Progress("target", 1, 10))
    shown = stream.getvalue()
    assert shown.count("\n") == 3
    assert shown.count("\r") == 7
    assert all(len(row) < 80 for row in re.split("[\r\n]", shown))


def test_line() -> None:
    assert line(Progress("mesh", 50, 200, 12.34, 125.0)) == (
        "mesh       [######------------------]     50/200  12.3/s  2:05 min left"
    )
    assert line(Progress("mesh", 0, 0)).isascii()
    assert [duration(s) for s in (0.4, 59.6, 3725)] == ["0 s", "1:00 min", "1:02:05 h"]


# Ctrl-C


def test_first_interrupt_asks_second_kills() -> None:
    before = signal.getsignal(signal.SIGINT)
    with cancel_on_interrupt() as cancelled:
        assert not cancelled()
        signal.raise_signal(signal.SIGINT)
        assert cancelled()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == before


JOB = """
import sys, time
from inference_backend.cli.failures import guarded
from inference_backend.cli.interrupt import cancel_on_interrupt
from inference_backend.progress import Meter

def command():
    with cancel_on_interrupt() as cancelled:
        print("running", flush=True)
        meter = Meter(lambda progress: None, cancelled if sys.argv[1] == "obeys" else lambda: False)
        for step in range(6000):
            meter.stage("work", step, 6000)
            time.sleep(0.01)

sys.exit(guarded(command))
"""


@POSIX
@pytest.mark.parametrize(("job", "presses", "code"), [("obeys", 1, 130), ("ignores", 2, -signal.SIGINT)])
def test_interrupted_process(job: str, presses: int, code: int) -> None:
    command = [sys.executable, "-c", JOB, job]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "running\n"
        for press in range(presses):
            process.send_signal(signal.SIGINT)
            if press == 0:  # the second press must not merge with the first
                while "stopping" not in process.stderr.readline():
                    pass
        assert process.wait(60) == code
        if code == 130:
            assert process.stderr.readline().startswith("Cancelled: ")


def test_every_kind_has_an_exit_code_of_its_own() -> None:
    codes = [kind.exit_code for kind in KINDS.values()]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes
    assert KINDS["ClipNotFound"] is ClipNotFound
