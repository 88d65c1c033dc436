"""The parts of a batch that need no Blender: its arguments, what it says, what it remembers, and how it waits."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pchmr.inference_backend.errors import BadArgument, Cancelled, ClipNotFound, DiskFull
from pchmr.inference_backend.progress import Progress
from pchmr.inference_backend.protocol import Request
from pchmr.pchmr_blender.activities import Status
from pchmr.pchmr_blender.backend.calls import Call
from pchmr.pchmr_blender.core.edit_fields import FIELDS
from pchmr.pchmr_blender.core.file_formats import Format
from pchmr.pchmr_blender.core.form_costs import Form
from pchmr.pchmr_blender.headless.arguments import Batch, parse
from pchmr.pchmr_blender.headless.console import Console
from pchmr.pchmr_blender.headless.driver import drive
from pchmr.pchmr_blender.headless.interrupt import Interrupt
from pchmr.pchmr_blender.headless.results import ClipResult, exit_code, trouble_of, write_report
from pchmr.pchmr_blender.headless.stamps import BLEND, CACHES, Ledger, settings_key
from pchmr.pchmr_blender.steps import InThread

# Arguments


def test_arguments_become_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = (
        "a.mp4 shots --out o --export GLB,fbx,glb --form pc2 --height 1.8 --people 2 --preset mine.toml --json r.json"
    )
    words += " --tolerance 0.05 --focal 900 --fps 24 --device cpu --preview --overwrite --interpreter venv"
    batch = parse(words.split())
    assert batch.clips == (tmp_path / "a.mp4", tmp_path / "shots")
    assert (batch.out, batch.report, batch.interpreter) == tuple(tmp_path / name for name in ("o", "r.json", "venv"))
    assert batch.exports == (Format.GLB, Format.FBX)
    assert (batch.form, batch.tolerance_mm, batch.preset) == (Form.PC2, 0.05, str(tmp_path / "mine.toml"))
    assert (batch.height, batch.focal, batch.fps, batch.people, batch.device) == (1.8, 900, 24, "2", "cpu")
    assert batch.preview
    assert batch.overwrite


def test_most_can_be_left_out(tmp_path: Path) -> None:
    batch = parse(["a.mp4", "--out", str(tmp_path)])
    assert (batch.form, batch.exports, batch.preset, batch.people, batch.height) == (
        None,
        (),
        "default",
        "largest",
        None,
    )
    assert not batch.preview
    assert batch.report is None
    assert batch.recalibrate is None


def test_edits_are_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse(["a.mp4", "--out", "o", "--recalibrate", "e.json"]).recalibrate == tmp_path / "e.json"


def test_help_tells_all_of_a_file_of_edits(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    for key, meaning in FIELDS.items():
        assert f"{key} {meaning}" in told


@pytest.mark.parametrize(
    "words",
    ["", "a.mp4", "--out o", "a.mp4 --out o --form best", "a.mp4 --out o --height 0", "a.mp4 --out o --height tall",
     "a.mp4 --out o --tolerance 0.01", "a.mp4 --out o --export blend", "a.mp4 --out o --people -1",
     "a.mp4 --out o --fps inf", "a.mp4 --out o --prev", "a.mp4 --out o --people all --height 1.8,",
     "a.mp4 --out o --people all --height 1.8,0", "a.mp4 --out o --height 1.8,1.7",
     "a.mp4 --out o --recalibrate e.json --overwrite"],
)  # fmt: skip
def test_mistakes_are_told(words: str) -> None:
    with pytest.raises(BadArgument):
        parse(words.split())


def test_heights_of_several_people(tmp_path: Path) -> None:
    batch = parse(["a.mp4", "--out", str(tmp_path), "--people", "all", "--height", "1.82, 1.65"])
    assert batch.height == (1.82, 1.65)
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"footage")
    assert len({settings_key(replace(batch, height=one), clip) for one in (1.82, (1.82, 1.65), (1.65, 1.82))}) == 3


# What it says


def test_a_log_gets_a_line_a_stage_and_one_now_and_then() -> None:
    now, stream = [0.0], io.StringIO()
    console = Console(stream, lambda: now[0])
    console.begin("1/2 walk")
    for second in range(5):
        now[0] = float(second)
        console.show(Status("Finding people", second / 5, 65.0, f"{second} of 5"))
    console.show(Status("Importing"))
    console.say("done walk")
    assert stream.getvalue().splitlines() == [
        "[1/2 walk]  Finding people  0 of 5  0%  1:05 left",
        "[1/2 walk]  Finding people  2 of 5  40%  1:05 left",
        "[1/2 walk]  Finding people  4 of 5  80%  1:05 left",
        "[1/2 walk]  Importing",
        "done walk",
    ]


def test_a_terminal_s_line_changes() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    console = Console(stream)
    console.begin("1/1 walk")
    console.show(Status("Importing"))
    console.show(Status("Writing FBX"))
    console.say("done")
    assert [re.sub(" +\n", "\n", line).strip() for line in stream.getvalue().split("\r")] == [
        "",
        "[1/1 walk]  Importing",
        "[1/1 walk]  Writing FBX\ndone",
    ]


def test_results_as_text_report_and_exit_code(tmp_path: Path) -> None:
    full = DiskFull("no space", hint="Free some.", output="last\nwords", log="x.log")
    done = ClipResult("a.mp4", "a", "done", 1.25, "a.take", ("a.blend",), ("Mind the gap.",))
    failed = ClipResult("b.mp4", "b", "failed", trouble=trouble_of(full))
    assert done.line() == "done      a  1.2 s  a.blend\n  note: Mind the gap."
    assert failed.line() == "failed    b  DiskFull: no space\n  Free some.\n  | last\n  | words\n  log: x.log"
    other = ClipResult("c.mp4", "c", "failed", trouble=trouble_of(ClipNotFound("gone", hint="")))
    stopped = ClipResult("d.mp4", "d", "cancelled", trouble=trouble_of(Cancelled("stopped", hint="")))
    assert [exit_code(results) for results in ([done], [done, failed, other], [other, failed], [failed, stopped])] == [
        0,
        51,
        10,
        130,
    ]
    write_report(tmp_path / "new" / "r.json", [done, failed], "4.2.0")
    record = json.loads((tmp_path / "new" / "r.json").read_text("utf-8"))
    assert (record["exit_code"], record["blender"], record["clips"][0]["notes"]) == (51, "4.2.0", ["Mind the gap."])


def test_what_was_not_foreseen_is_told_with_its_traceback() -> None:
    try:
        raise KeyError("x")
    except KeyError as error:
        trouble = trouble_of(error)
    assert (trouble.kind, trouble.exit_code) == ("Internal", 1)
    assert "test_headless.py" in trouble.output


# What it remembers


def batch_of(**changes: Any) -> Batch:
    values: dict[str, Any] = dict.fromkeys(Batch.__dataclass_fields__)
    return Batch(
        **{**values, "preset": "default", "cleanup": "default", "people": "largest", "tolerance_mm": 1.0, **changes}
    )


def test_the_key_changes_with_what_changes_the_result(tmp_path: Path) -> None:
    clip, preset = tmp_path / "a.mp4", tmp_path / "mine.toml"
    clip.write_bytes(b"footage")
    preset.write_text("height = 1.7", "utf-8")
    own = batch_of(preset=str(preset))
    keys = [settings_key(batch, clip) for batch in (batch_of(), batch_of(height=1.8), batch_of(form=Form.PC2), own)]
    preset.write_text("height = 1.9", "utf-8")
    keys.append(settings_key(own, clip))
    keys.append(settings_key(batch_of(cleanup="off"), clip))
    clip.write_bytes(b"other footage")
    keys.append(settings_key(batch_of(), clip))
    assert len(set(keys)) == 7
    for same in (batch_of(device="cpu"), batch_of(preview=True), batch_of(exports=(Format.FBX,)), batch_of(out=clip)):
        assert settings_key(same, clip) == keys[-1]
    with pytest.raises(ClipNotFound):
        settings_key(batch_of(), tmp_path / "gone.mp4")


def test_a_ledger_goes_on_with_the_same_settings_and_take(tmp_path: Path) -> None:
    path, blend = tmp_path / "walk.batch.json", tmp_path / "walk.blend"

    def ledger(settings: str = "s", *, anew: bool = False) -> Ledger:
        return Ledger(path, settings, anew=anew)

    first = ledger()
    assert not first.has(BLEND)
    first.solved("take")
    first.begin_blend()
    blend.write_bytes(b"half")
    assert ledger().wrote(blend)  # killed while it was being written
    assert not ledger().has(BLEND)
    blend.write_bytes(b"whole")
    first.add(BLEND, [blend])
    (tmp_path / "walk.fbx").write_bytes(b"")
    first.add("fbx", [tmp_path / "walk.fbx"])

    again = ledger()
    assert again.is_of("take")
    assert not again.is_of("another take")
    assert (again.has(BLEND), again.has("fbx"), again.has("glb")) == (True, True, False)
    assert again.files("fbx") == [tmp_path / "walk.fbx"]
    again.solved("take")
    assert again.has(BLEND)
    again.solved("another take")
    assert not again.has(BLEND)

    assert not ledger("other").has(BLEND)
    assert not ledger(anew=True).has(BLEND)
    assert ledger("other").wrote(blend)
    blend.write_bytes(b"changed by hand")
    assert not ledger("other").wrote(blend)
    (tmp_path / "walk.fbx").unlink()
    assert not ledger().has("fbx")


def test_an_edited_blend_is_kept_and_what_was_made_of_it_before_is_not(tmp_path: Path) -> None:
    path, blend, bvh = (tmp_path / f"walk.{ending}" for ending in ("batch.json", "blend", "bvh"))
    blend.write_bytes(b"as a batch has left it")
    bvh.write_bytes(b"")
    first = Ledger(path, "s", anew=False)
    first.solved("take")
    first.add(BLEND, [blend])
    first.add("bvh", [bvh])
    blend.write_bytes(b"edited")
    again = Ledger(path, None, anew=False)
    assert again.has("bvh")
    again.edited(blend, [tmp_path / "walk.pc2"])
    for ledger in (again, Ledger(path, "s", anew=False)):
        assert ledger.is_of("take")
        assert (ledger.has(BLEND), ledger.has("bvh")) == (True, False)
        assert ledger.files(CACHES) == [tmp_path / "walk.pc2"]
    assert not Ledger(path, "other", anew=False).wrote(blend)
    unknown = Ledger(tmp_path / "b.batch.json", None, anew=False)
    unknown.edited(blend, [])
    assert unknown.files(BLEND) == [blend]
    assert not unknown.wrote(blend)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"settings": 1, "who": 2}', "\x00"])
def test_a_stamp_that_is_none_of_ours_counts_for_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text, "utf-8")
    assert not Ledger(tmp_path / "x.json", "s", anew=False).has(BLEND)


# How it waits


class FakeClient:
    """Answers a call after three pumps, with a report at each."""

    def __init__(self) -> None:
        self.pumps = 0
        self.call_: Call | None = None

    def call(self) -> Call:
        self.pumps = 0
        self.call_ = Call(Request(1, "reconstruct"), lambda call: call.end(error=Cancelled("stopped", hint="")))
        return self.call_

    def pump(self, seconds: float = 0.0) -> None:
        assert self.call_ is not None
        self.pumps += 1
        self.call_.report(Progress("estimate", self.pumps, 3))
        if self.pumps == 3:
            self.call_.end({"take": "x"})


def test_work_is_driven_to_its_end() -> None:
    client, stream = FakeClient(), io.StringIO()

    def work():
        result = yield client.call()
        yield "Importing"
        return result["take"]

    assert drive(work(), client, Console(stream), Interrupt()) == "x"
    assert "Finding people  1 of 3" in stream.getvalue()
    assert "Importing" in stream.getvalue()


def test_what_is_for_a_thread_is_done_here_and_its_error_raised_in_the_work() -> None:
    stream = io.StringIO()

    def count(report: Any, cancelled: Any) -> int:
        report(Status("Counting", 0.5))
        return 3

    def fail(report: Any, cancelled: Any) -> None:
        raise DiskFull("no space", hint="")

    def work():
        yield Status("Beginning", 0.1)
        counted = yield InThread("Counting", count)
        try:
            yield InThread("Failing", fail)
        except DiskFull:
            return counted

    assert drive(work(), FakeClient(), Console(stream), Interrupt()) == 3
    assert stream.getvalue().splitlines() == ["[]  Beginning  10%", "[]  Counting  50%"]


@pytest.mark.parametrize("asked_in", ["call", "step"])
def test_a_stop_is_raised_in_the_work(asked_in: str) -> None:
    client, interrupt, ended = FakeClient(), Interrupt(), []

    def work():
        try:
            interrupt.asked = asked_in == "call"
            yield client.call()
            interrupt.asked = True
            yield "Importing"
            ended.append("went on")
        finally:
            ended.append("tidied up")

    with pytest.raises(Cancelled):
        drive(work(), client, Console(io.StringIO()), interrupt)
    assert ended == ["tidied up"]
