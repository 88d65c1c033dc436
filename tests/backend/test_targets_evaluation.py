"""Planted mistakes are where they say they are, and the tables say what the stack does about them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from inference_backend.errors import BadArgument
from inference_backend.evaluation import evaluate_targets, fit_leaps, planted_edits, planted_suspects, planted_takes
from inference_backend.evaluation.evaluate_targets import figures, rows, table
from inference_backend.evaluation.fast_actions import ACTIONS, kept
from inference_backend.evaluation.planted_mistakes import FAULTS
from inference_backend.evaluation.planted_takes import PlantedTake, takes
from inference_backend.skeletons import JOINTS
from inference_backend.suspects import MODEL, SuspectInputs, suspects
from inference_backend.targets import quaternions
from inference_backend.targets.parameters import Layers
from inference_backend.targets.source import sole_points
from inference_backend.targets.stack import apply_layers

from .made_motion import REST, steady

RENDERED = Path(planted_takes.__file__).parent / "rendered_test.npz"


@pytest.fixture(scope="module")
def take() -> PlantedTake:
    return takes(RENDERED, 2)[1]


def planted(take: PlantedTake, fault: str) -> PlantedTake:
    return FAULTS[fault](take, np.random.default_rng(0))


def test_the_truth_stands_where_it_says(take: PlantedTake) -> None:
    soles = sole_points(take.truth, take.soles)
    assert take.contacts.mean() > 0.2
    assert np.abs(soles[take.contacts][:, 2]).max() < 0.011
    assert (np.linalg.norm(np.diff(soles, axis=0), axis=-1)[take.contacts[:-1]] * 30).max() < 0.021
    assert soles[..., 2].min() > -0.02
    clean = figures(take.source.fitted, take)
    assert clean.mpjpe == clean.place == 0


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "nothing"])
def test_a_mistake_is_where_it_is_marked_and_nowhere_else(take: PlantedTake, fault: str) -> None:
    wrong = planted(take, fault)
    again = planted(take, fault)
    assert np.array_equal(wrong.source.fitted.rotations, again.source.fitted.rotations)
    turned = quaternions.angle_between(wrong.source.fitted.rotations, take.truth.rotations) > 1e-3
    if fault in ("jitter", "all of these"):
        assert turned.mean() > 0.9
    elif fault == "floating, sliding root":
        assert not turned.any()
        assert figures(wrong.source.fitted, wrong).floor_error > 25
    else:
        assert wrong.wrong.any(0).sum() > 0
        assert not (turned & ~wrong.wrong).any()
        assert turned[wrong.wrong].mean() > 0.9
    assert wrong.truth is take.truth


def test_a_lost_arm_is_hidden(take: PlantedTake) -> None:
    lost = planted(take, "lost arm")
    hidden = (lost.source.visibility < 0.1).any(1)
    assert hidden.sum() == 20
    assert np.array_equal(hidden, lost.wrong.any(1))


@pytest.mark.parametrize("fault", ["swapped legs", "lost arm", "wrong elbow", "spikes"])
def test_the_default_stack_halves_what_is_wrong(take: PlantedTake, fault: str) -> None:
    wrong = planted(take, fault)
    mended = apply_layers(wrong.source, Layers()).motion
    places = wrong.displaced(0.06)
    assert places.any()
    assert not places[~wrong.wrong.any(1)].any()
    before, after = (
        np.linalg.norm((m.joints() - m.root[:, None]) - (take.truth.joints() - take.truth.root[:, None]), axis=-1)
        for m in (wrong.source.fitted, mended)
    )
    assert after[places].mean() < 0.5 * before[places].mean()


def test_a_perfect_motion_keeps_all_and_a_slow_one_does_not() -> None:
    seconds = steady(150)
    for make, joints in ACTIONS.values():
        truth = make(REST, seconds)
        assert kept(truth, truth, seconds, joints) == pytest.approx((1, 1))
        assert set(joints) <= set(JOINTS)
        assert kept(make(REST, np.zeros(150)), truth, seconds, joints) == pytest.approx((0, 0), abs=0.5)


def test_the_table_has_a_line_a_question(take: PlantedTake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate_targets, "PAIRS", (("outliers", "wrong elbow"),))
    monkeypatch.setattr(evaluate_targets, "FAULTS", {name: FAULTS[name] for name in ("nothing", "wrong elbow")})
    seen: list[tuple[int, int]] = []
    found = rows([take], lambda done, total: seen.append((done, total)))
    assert [row.name for row in found] == [
        "wrong elbow: outliers alone",
        "nothing: default stack",
        "wrong elbow: default stack",
    ]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert found[0].after.mpjpe < 0.2 * found[0].before.mpjpe
    lines = table(found, []).splitlines()
    assert len(lines) == 2 + 3 + 3
    assert len({line.count("|") for line in lines[:5]}) == 1


def test_suspects_find_what_was_planted(take: PlantedTake) -> None:
    """At the threshold that the panel has by default, whether the mesh stream follows the mistakes or not."""
    found = planted_suspects.found([take])
    asked = [(name, follows) for follows in planted_suspects.FOLLOWS for name in planted_suspects.JUDGED]
    assert [(row.name, row.follows) for row in found] == [("nothing", 0.0), *asked]
    assert found[0].frames == 0
    for row in found:
        assert row.false <= 0.05
        assert row.name == "nothing" or (row.frames > 4 and row.found >= 0.9)
    assert len(planted_suspects.table(found).splitlines()) == 2 + len(found)


def test_each_mistake_is_told_by_what_shows_it(take: PlantedTake) -> None:
    told = {(row.name, row.follows): dict(row.causes) for row in planted_suspects.found([take])}
    for follows in planted_suspects.FOLLOWS:
        assert told["lost arm", follows]["visibility"] > 0.9
        assert told["spikes", follows]["jerk"] > 0.9
        for name in ("spikes", "swapped legs", "wrong elbow"):
            assert told[name, follows].keys() <= {"jerk", "streams_disagree", "reprojection"}


def test_the_mesh_stream_makes_a_share_of_a_mistake(take: PlantedTake) -> None:
    (plain, away), (half, _), (clean, _) = (
        planted_suspects.planted_inputs(take, 0, name, follows)
        for name, follows in (("wrong elbow", 0.0), ("wrong elbow", 0.5), ("nothing", 0.5))
    )
    np.testing.assert_allclose(plain.joints_hmr, clean.joints_hmr)
    np.testing.assert_allclose(half.joints_hmr[~away], plain.joints_hmr[~away], atol=1e-9)

    def apart(inputs: SuspectInputs) -> float:
        return float(np.linalg.norm(inputs.joints_hmr - inputs.joints_lifted, axis=-1)[away].mean())

    assert apart(half) < 0.75 * apart(plain)


def test_the_leap_is_fitted_to_what_is_planted(take: PlantedTake) -> None:
    fitted = fit_leaps.fit_to([take], MODEL)
    assert fitted.leap == pytest.approx(MODEL.leap, rel=0.5)
    assert replace(fitted, leap=MODEL.leap) == MODEL


def test_one_edited_joint_mends_most_of_a_wrong_forearm(take: PlantedTake) -> None:
    found = planted_edits.mended([take])
    assert found.right < 0.1 * found.before
    assert found.after < 0.4 * found.before
    assert len(planted_edits.table(found).splitlines()) == 3


def test_blind_scores_find_nothing(take: PlantedTake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that looks at nothing but the mesh stream's noise."""
    blind = replace(MODEL, reprojection=0, jerk=0, lifter_error=0, visibility=0, streams_disagree=0, leap=0)
    monkeypatch.setattr(planted_suspects, "suspects", partial(suspects, model=blind))
    assert max(row.found for row in planted_suspects.found([take]) if row.frames) < 0.2


@pytest.mark.parametrize(("name", "least"), [("spikes", 0.5), ("swapped legs", 0.9)])
def test_without_the_leap_they_are_missed(
    take: PlantedTake, monkeypatch: pytest.MonkeyPatch, name: str, least: float
) -> None:
    monkeypatch.setattr(planted_suspects, "suspects", partial(suspects, model=replace(MODEL, leap=0)))
    assert all(row.found < 1 - least for row in planted_suspects.found([take]) if row.name == name)


def test_files_that_are_no_rendered_clips(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(BadArgument, match=r"x\.npz is no set"):
        takes(path, 1)
    np.savez(path, pose=np.zeros(3))
    with pytest.raises(BadArgument, match="is no set"):
        takes(path, 1)
    names = {"pose": (1, 4, 24, 3), "root": (1, 4, 3), "betas": (1, 10), "up": (1, 3)}
    np.savez(path, category=np.array(["swimming"]), **{name: np.zeros(shape) for name, shape in names.items()})
    with pytest.raises(BadArgument, match="no clip of walk"):
        takes(path, 1)
