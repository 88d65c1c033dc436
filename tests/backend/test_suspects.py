"""Suspect scores: each cause speaks for its own mistake; the evaluation finds what was planted."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from inference_backend.errors import BadArgument
from inference_backend.evaluation import fit_leaps
from inference_backend.evaluation.evaluate_suspects import (
    clip_signs,
    discrimination,
    evaluate,
    fit,
    run,
    source,
    table,
)
from inference_backend.evaluation.suspect_predictions import Predictions, joint_errors, load_predictions
from inference_backend.skeletons import BONES, JOINTS, PARENTS
from inference_backend.suspect_leaps import leaps
from inference_backend.suspect_losses import lost_limbs
from inference_backend.suspect_measures import CONTEXT, bone_lengths, jerk, length_change
from inference_backend.suspect_threshold import SUSPECT_THRESHOLD
from inference_backend.suspects import (
    CAUSES,
    MODEL,
    CauseHalves,
    SuspectInputs,
    SuspectModel,
    logistic,
    sign_scores,
    suspects,
)

HEIGHT, FPS = 1.8, 30.0
WRIST = JOINTS.index("left_wrist")
PER_FRAME = ("joints_lifted", "joints_hmr", "log_error", "reprojection", "visibility")


def path(frames: int, seed: int = 0) -> np.ndarray:
    """(F, 24, 3) a body that slowly turns, with bones of constant length, 4 m in front of the camera."""
    rng = np.random.default_rng(seed)
    joints = np.zeros((24, 3))
    for joint in range(1, 24):
        offset = rng.standard_normal(3)
        joints[joint] = joints[PARENTS[joint]] + 0.2 * offset / np.linalg.norm(offset)
    angle = 0.02 * np.arange(frames)
    c, s, o, i = np.cos(angle), np.sin(angle), np.zeros(frames), np.ones(frames)
    turn = np.stack([c, o, s, o, i, o, -s, o, c], -1).reshape(-1, 3, 3)
    return joints @ turn.transpose(0, 2, 1) + [0, 0, 4]


def good(frames: int = 20, **changed) -> SuspectInputs:
    """Nothing to find."""
    joints = path(frames)
    given = {
        "joints_lifted": joints,
        "joints_hmr": joints + np.array([0.1, 0.2, 0.3]),
        "joints_fitted": None,
        "log_error": np.full((frames, 24), math.log(0.02)),
        "reprojection": np.zeros((frames, 24)),
        "visibility": np.ones((frames, 24)),
        **changed,
    }
    return SuspectInputs(**given)


def random_inputs(frames: int, seed: int = 0) -> SuspectInputs:
    rng = np.random.default_rng(seed)
    lifted = path(frames, seed) + 0.03 * rng.standard_normal((frames, 24, 3))
    return SuspectInputs(
        joints_lifted=lifted,
        joints_hmr=lifted + 0.05 * rng.standard_normal((frames, 24, 3)),
        joints_fitted=None,
        log_error=rng.normal(-3, 0.5, (frames, 24)),
        reprojection=rng.exponential(0.02, (frames, 24)),
        visibility=rng.random((frames, 24)),
        bone_lengths=bone_lengths(path(1, seed))[0],
    )


@pytest.mark.parametrize("frames", [0, 1, 3, 4, 50])
def test_a_report_of_any_length(frames):
    report = suspects(good(frames), HEIGHT, FPS)
    assert report.score.shape == (frames, 24)
    assert report.score.dtype == np.float32
    assert report.causes.shape == (frames, 24, len(CAUSES))
    assert report.causes.dtype == np.uint8


def test_nothing_is_suspect_in_a_good_clip():
    report = suspects(good(), HEIGHT, FPS)
    assert report.score.max() < 0.05
    assert report.causes[..., :5].max() <= 2


def planted(cause: str) -> SuspectInputs:
    """The left wrist of frame 10 has the one mistake that the cause tells of, at the value that scores one half."""
    halves, inputs, at = CauseHalves(), good(), (10, WRIST)
    joints, hmr = inputs.joints_lifted.copy(), inputs.joints_hmr.copy()
    if cause == "streams_disagree":
        hmr[at] += np.array([0.6, 0, 0.8]) * halves.streams_disagree * HEIGHT
        return good(joints_hmr=hmr)
    if cause == "bone_length":
        bone = joints[at] - joints[10, PARENTS[WRIST]]
        joints[at] += halves.bone_length * bone
        hand = JOINTS.index("left_hand")
        joints[10, hand] += halves.bone_length * bone
        return good(joints_lifted=joints)
    value = getattr(halves, cause)
    name, fill = {
        "reprojection": ("reprojection", value),
        "visibility": ("visibility", value),
        "lifter_error": ("log_error", math.log(value * HEIGHT)),
    }[cause]
    array = getattr(inputs, name).copy()
    array[at] = fill
    return good(**{name: array})


@pytest.mark.parametrize("cause", [name for name in CAUSES if name != "jerk"])
def test_each_cause_speaks_for_its_own_mistake(cause):
    report, clean = suspects(planted(cause), HEIGHT, FPS), suspects(good(), HEIGHT, FPS)
    column = CAUSES.index(cause)
    assert abs(int(report.causes[10, WRIST, column]) - 128) <= 1
    assert report.score[10, WRIST] > 1.3 * clean.score[10, WRIST]
    elsewhere = np.ones((20, 24), bool)
    elsewhere[10] = False
    assert report.causes[elsewhere, column].max() <= clean.causes[..., column].max()


def test_reprojection_counts_as_much_as_the_joint_is_visible():
    half = CauseHalves().reprojection
    inputs = good(reprojection=np.full((20, 24), 4 * half), visibility=np.full((20, 24), 0.25))
    np.testing.assert_allclose(sign_scores(inputs, HEIGHT, FPS, CauseHalves())[..., 1], 0.5)


@pytest.mark.parametrize(("visibility", "want"), [(1.0, 0.0), (0.75, 0.25), (0.5, 0.5), (0.0, 1.0)])
def test_visibility_scores_its_lack(visibility, want):
    causes = sign_scores(good(visibility=np.full((20, 24), visibility)), HEIGHT, FPS, CauseHalves())
    np.testing.assert_allclose(causes[..., CAUSES.index("visibility")], want)


def test_jerk_is_the_third_derivative():
    seconds = np.arange(8)[:, None, None] / 25
    joints = path(1) + 3 * seconds + seconds**2 + np.array([1.0, 2.0, 2.0]) * seconds**3
    np.testing.assert_allclose(jerk(joints, 25), 6 * 3, rtol=1e-9)


def test_jerk_stands_out_at_the_frame_that_jumps():
    joints = np.repeat(path(1), 21, 0)
    joints[10, WRIST, 1] += 0.1
    found = jerk(joints, FPS)
    assert found[:, WRIST].argmax() == 10
    # The third differences that hold frame 10 are (1, 3, 3, 1) × 0.1 m.
    assert found[10, WRIST] == pytest.approx(0.1 * (1 + 9 + 9 + 1) / 8 * FPS**3)
    assert found[:, WRIST].nonzero()[0].tolist() == list(range(10 - CONTEXT, 10 + CONTEXT + 1))
    assert np.delete(found, WRIST, 1).max() == 0


def slow_jerk(joints: np.ndarray, fps: float) -> np.ndarray:
    """Frame by frame, window by window."""
    out = np.zeros(joints.shape[:2])
    for joint in range(24):
        for frame in range(len(joints)):
            total = parts = 0.0
            for start in range(frame - 3, frame + 1):
                if start < 0 or start + 3 >= len(joints):
                    continue
                a, b, c, d = joints[start : start + 4, joint]
                part = (1, 3, 3, 1)[frame - start]
                total += part * np.linalg.norm(d - 3 * c + 3 * b - a) * fps**3
                parts += part
            out[frame, joint] = total / parts
    return out


@pytest.mark.parametrize("frames", [4, 5, 12])
def test_jerk_equals_its_slow_twin(frames):
    joints = np.random.default_rng(3).standard_normal((frames, 24, 3))
    np.testing.assert_allclose(jerk(joints, 24.0), slow_jerk(joints, 24.0), rtol=1e-12)


def test_length_change_equals_its_slow_twin():
    joints = np.random.default_rng(4).standard_normal((6, 24, 3))
    lengths = np.linspace(0.05, 0.5, 23)
    want = np.zeros((6, 24))
    for frame in range(6):
        for bone, (parent, child) in enumerate(BONES):
            change = abs(np.linalg.norm(joints[frame, child] - joints[frame, parent]) - lengths[bone]) / lengths[bone]
            for joint in (parent, child):
                want[frame, joint] = max(want[frame, joint], change)
    np.testing.assert_allclose(length_change(joints, lengths), want, rtol=1e-12)


def test_the_fitted_pose_gives_the_lengths():
    joints = path(20)
    larger = 1.25 * joints
    column = CAUSES.index("bone_length")
    causes = sign_scores(good(joints_fitted=larger), HEIGHT, FPS, CauseHalves())[..., column]
    np.testing.assert_allclose(causes, 0.2 / (0.2 + CauseHalves().bone_length), rtol=1e-9)
    lengths = bone_lengths(joints)[0]
    overruled = good(joints_fitted=larger, bone_lengths=lengths)
    assert sign_scores(overruled, HEIGHT, FPS, CauseHalves())[..., column].max() < 1e-9


@pytest.mark.parametrize(("overlap", "leap"), [(CONTEXT, 0.0), (round(1.2 * FPS), MODEL.leap)])
def test_chunks_that_overlap_by_the_context_give_the_whole(overlap, leap):
    """The causes look at the context alone, leaps and losses at little more than a second."""
    lost = MODEL.limb_lost if leap else 0.0
    inputs, model = random_inputs(140), dataclasses.replace(MODEL, leap=leap, limb_lost=lost)
    whole = suspects(inputs, HEIGHT, FPS, model=model)
    for start, stop in ((0, 13), (13, 14), (14, 70), (70, 140)):
        first, last = max(start - overlap, 0), min(stop + overlap, 140)
        arrays = {name: getattr(inputs, name)[first:last] for name in PER_FRAME}
        part = suspects(dataclasses.replace(inputs, **arrays), HEIGHT, FPS, model=model)
        rows = slice(start - first, stop - first)
        np.testing.assert_allclose(part.score[rows], whole.score[start:stop], rtol=1e-6)
        others = [cause for cause, name in enumerate(CAUSES) if leap or name != "jerk"]
        np.testing.assert_array_equal(part.causes[rows][..., others], whole.causes[start:stop][..., others])


def test_one_wild_frame_changes_only_its_neighbours():
    inputs = random_inputs(140)
    lifted = inputs.joints_lifted.copy()
    lifted[70] += 5 * np.random.default_rng(1).standard_normal((24, 3))
    wild = dataclasses.replace(inputs, joints_lifted=lifted)

    def changed(model: SuspectModel) -> list[int]:
        before, after = (suspects(given, HEIGHT, FPS, model=model).score for given in (inputs, wild))
        return (before != after).any(1).nonzero()[0].tolist()

    causes = dataclasses.replace(MODEL, jerk=1.0, leap=0.0)
    assert changed(causes) == list(range(70 - CONTEXT, 70 + CONTEXT + 1))
    assert max(abs(row - 70) for row in changed(MODEL)) < 1.2 * FPS


def leapt(frames: int = 12, start: int = 20, way: float = 0.2) -> SuspectInputs:
    """The left wrist is elsewhere for some frames of 60, in both streams and in the picture."""
    joints = path(60)
    joints[start : start + frames, WRIST, 0] += way
    count = len(joints)
    return good(
        joints_lifted=joints, joints_hmr=joints, log_error=np.full((count, 24), math.log(0.08)),
        reprojection=np.zeros((count, 24)), visibility=np.ones((count, 24)),
        bone_lengths=bone_lengths(path(1))[0],
    )  # fmt: skip


@pytest.mark.parametrize("frames", [1, 2, 12])
def test_a_leap_is_listed_in_all_its_frames_and_told_as_a_jump(frames):
    report = suspects(leapt(frames), HEIGHT, FPS)
    assert np.flatnonzero(report.score[:, WRIST] >= SUSPECT_THRESHOLD).tolist() == list(range(20, 20 + frames))
    assert (np.delete(report.score, WRIST, 1) < SUSPECT_THRESHOLD).all()
    told = report.causes[20 : 20 + frames, WRIST]
    assert (told.argmax(-1) == CAUSES.index("jerk")).all()


def test_what_is_no_leap():
    """Too short a way, too long a stay, and a way that does not come back."""
    for inputs in (leapt(way=0.02 * HEIGHT), leapt(round(0.6 * FPS)), leapt(40)):
        assert suspects(inputs, HEIGHT, FPS).score.max() < SUSPECT_THRESHOLD


@pytest.mark.parametrize("mended", ["joints_lifted", "joints_fitted"])
def test_a_leap_of_the_lifted_or_of_the_fitted_joints_is_enough(mended):
    inputs = leapt()
    assert leaps(inputs.joints_lifted, HEIGHT, FPS)[25, WRIST] > 1
    both = dataclasses.replace(inputs, joints_fitted=inputs.joints_lifted)
    one = suspects(dataclasses.replace(both, **{mended: path(60)}), HEIGHT, FPS)
    leap = CAUSES.index("jerk")
    np.testing.assert_array_equal(
        one.causes[22:30, WRIST, leap], suspects(both, HEIGHT, FPS).causes[22:30, WRIST, leap]
    )
    neither = dataclasses.replace(inputs, joints_lifted=path(60), joints_fitted=path(60))
    assert suspects(neither, HEIGHT, FPS).causes[22:30, WRIST, leap].max() == 0


@pytest.mark.parametrize("frames", [0, 1, 4, 5, 6])
def test_short_clips_have_few_leaps_or_none(frames):
    assert leaps(leapt().joints_lifted[18 : 18 + frames], HEIGHT, FPS).shape == (frames, 24)


def test_the_place_of_the_body_does_not_matter_nor_its_size():
    inputs = random_inputs(12)
    before = suspects(inputs, HEIGHT, FPS)
    jump = np.random.default_rng(2).standard_normal((12, 1, 3))
    moved = dataclasses.replace(inputs, joints_lifted=inputs.joints_lifted + jump)
    np.testing.assert_allclose(suspects(moved, HEIGHT, FPS).score, before.score, rtol=1e-5)
    doubled = dataclasses.replace(
        inputs, joints_lifted=2 * inputs.joints_lifted, joints_hmr=2 * inputs.joints_hmr,
        bone_lengths=2 * inputs.bone_lengths, log_error=inputs.log_error + math.log(2),
    )  # fmt: skip
    np.testing.assert_allclose(suspects(doubled, 2 * HEIGHT, FPS).score, before.score, rtol=1e-5)


def test_the_score_is_the_logistic_of_the_weighted_causes():
    inputs = random_inputs(5)
    model = SuspectModel(-1.0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    causes = sign_scores(inputs, HEIGHT, FPS, CauseHalves())
    z = -1 + sum((weight + 1) * causes[..., weight] for weight in range(9))
    np.testing.assert_allclose(suspects(inputs, HEIGHT, FPS, model=model).score, 1 / (1 + np.exp(-z)), rtol=1e-6)


def test_the_model_that_is_shipped_only_adds_suspicion():
    assert (MODEL.weights >= 0).all()
    assert logistic(np.array(MODEL.intercept)) < 0.05
    assert logistic(np.array(MODEL.intercept) + MODEL.weights.sum()) > 0.9


def test_logistic_does_not_overflow():
    np.testing.assert_allclose(logistic(np.array([-1e4, 0, 1e4])), [0, 0.5, 1])


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(SuspectInputs)])
def test_arrays_of_other_shapes_or_without_values_are_refused(name):
    inputs = dataclasses.replace(good(), joints_fitted=path(20), bone_lengths=np.ones(23), seen=np.zeros((20, 24, 2)))
    array = getattr(inputs, name).copy()
    with pytest.raises(ValueError, match=name):
        suspects(dataclasses.replace(inputs, **{name: array[..., :-1]}), HEIGHT, FPS)
    array.flat[3] = np.nan
    with pytest.raises(ValueError, match=f"{name} has values that are not finite"):
        suspects(dataclasses.replace(inputs, **{name: array}), HEIGHT, FPS)


@pytest.mark.parametrize(("height", "fps"), [(0, 30), (1.7, 0), (math.nan, 30), (1.7, -1)])
def test_height_and_fps_are_above_zero(height, fps):
    with pytest.raises(ValueError, match="above 0"):
        suspects(good(), height, fps)


def test_halves_are_above_zero():
    with pytest.raises(ValueError, match="jerk"):
        CauseHalves(jerk=0)


# The evaluation.


def synthetic(clips: int = 12, frames: int = 16, seed: int = 0) -> dict[str, np.ndarray]:
    """Predictions with the rate of mistakes of each joint its own; all signs grow with the mistake, with noise."""
    rng = np.random.default_rng(seed)
    parts: dict[str, list[np.ndarray]] = {}
    for clip in range(clips):
        truth = path(frames, seed * 1000 + clip)
        often = np.linspace(0.02, 0.2, 24)
        off = np.where(rng.random((frames, 24)) < often, rng.uniform(0.15, 0.4, (frames, 24)), 0.02)
        off[:, 0] = 0
        size = np.exp(0.4 * rng.standard_normal((2, frames, 24))) * (off + 0.02)
        way = rng.standard_normal((2, frames, 24, 3))
        way /= np.linalg.norm(way, axis=-1, keepdims=True)
        rows = {
            "joints_lifted": truth + off[..., None] * way[0] + [0, 0, 0.5],
            "joints_hmr": truth + 0.03 * way[1],
            "log_error": np.log(size[0]),
            "reprojection": size[1] / HEIGHT,
            "visibility": np.clip(1 - 2 * off * rng.random((frames, 24)), 0, 1),
            "joints_true": truth,
            "height": np.full(frames, HEIGHT),
            "clip": np.full(frames, clip),
        }
        for name, array in rows.items():
            parts.setdefault(name, []).append(array if name == "clip" else array.astype(np.float32))
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


@pytest.fixture
def saved(tmp_path):
    def save(name: str = "tést predictions.npz", **arrays) -> object:
        np.savez(tmp_path / name, **arrays)
        return tmp_path / name

    return save


def test_predictions_come_back_as_written(saved):
    arrays = synthetic(2)
    predictions = load_predictions(saved(**arrays, more=np.zeros(3)))
    for name, array in arrays.items():
        np.testing.assert_array_equal(getattr(predictions, name), array)
    assert predictions.joints_fitted is None


@pytest.mark.parametrize("name", list(synthetic(1)))
def test_predictions_that_lack_an_array_or_have_a_wrong_one_are_refused_by_name(saved, name):
    arrays = synthetic(1)
    array = arrays.pop(name)
    with pytest.raises(BadArgument, match=f"lacks {name}"):
        load_predictions(saved(**arrays))
    with pytest.raises(BadArgument, match="joints_lifted" if name == "clip" else name):
        load_predictions(saved(**arrays, **{name: array[:-1]}))
    with pytest.raises(BadArgument, match=name):
        load_predictions(saved(**arrays, **{name: array.astype(str)}))
    if name != "clip":
        bad = array.copy()
        bad.flat[0] = np.inf
        with pytest.raises(BadArgument, match=f"{name} .* not finite"):
            load_predictions(saved(**arrays, **{name: bad}))


def test_files_that_are_no_predictions_are_refused(tmp_path, saved):
    with pytest.raises(BadArgument, match="no predictions"):
        load_predictions(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(BadArgument, match="readable"):
        load_predictions(tmp_path / "text.npz")
    pickled = {**synthetic(1), "clip": np.array([{}], dtype=object)}
    with pytest.raises(BadArgument, match="readable"):
        load_predictions(saved(**pickled))
    whole = saved(**synthetic(1))
    (tmp_path / "cut.npz").write_bytes(whole.read_bytes()[:-400])
    with pytest.raises(BadArgument, match="readable"):
        load_predictions(tmp_path / "cut.npz")
    with pytest.raises(BadArgument, match="F > 0"):
        load_predictions(saved(**{name: array[:0] for name, array in synthetic(1).items()}))


def test_errors_are_measured_from_the_pelvis_and_on_the_fitted_joints_where_given():
    arrays = synthetic(1)
    off = joint_errors(Predictions(**arrays))
    assert off[:, 0].max() == 0
    assert off.max() < 0.41  # the half metre of depth is not counted
    fitted = arrays["joints_true"] + np.float32([1, 2, 3])
    assert joint_errors(Predictions(**arrays, joints_fitted=fitted)).max() < 1e-5


def test_clips_are_scored_by_themselves():
    arrays = synthetic(3)
    together = clip_signs(Predictions(**arrays), FPS)
    rows = arrays["clip"] == 1
    alone = clip_signs(Predictions(**{name: array[rows] for name, array in arrays.items()}), FPS)
    np.testing.assert_array_equal(together[rows], alone)


def test_discrimination_tells_overall_from_within():
    # Joint 0 is wrong more often and scores more, but its own frames are scored at random; joint 2 is never wrong.
    wrong = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 0], [1, 1, 0]], bool)
    score = np.array([[3, 1, 0], [2, 1, 0], [3, 1, 0], [3, 1, 0]], float)
    found = discrimination(score, wrong)
    assert found.within_joint == pytest.approx((2 * 0.5 / 3 + 0.5) / 2)
    pairs = [(a > b) + 0.5 * (a == b) for a in score[wrong] for b in score[~wrong]]
    assert found.overall == pytest.approx(np.mean(pairs))
    assert math.isnan(discrimination(score, np.zeros_like(wrong)).within_joint)


def test_evaluation_finds_the_planted_mistakes():
    evaluation = evaluate(Predictions(**synthetic()))
    assert evaluation.frames == 12 * 16
    assert evaluation.wrong == pytest.approx(0.11, abs=0.03)
    assert evaluation.score.overall > 0.9
    assert evaluation.score.within_joint > 0.9
    assert all(row.overall > 0.6 for row in evaluation.signs.values())
    printed = table(evaluation)
    assert all(name in printed for name in (*CAUSES, f"{evaluation.score.overall:.3f}", "192 frames"))


def test_a_score_that_knows_nothing_is_at_chance():
    arrays = synthetic()
    rng = np.random.default_rng(9)
    for name in PER_FRAME:
        arrays[name] = arrays[name][rng.permutation(len(arrays[name]))]
    arrays["joints_fitted"] = arrays["joints_true"] + 0.09 * rng.standard_normal(arrays["joints_true"].shape)
    evaluation = evaluate(Predictions(**arrays))
    assert evaluation.score.within_joint == pytest.approx(0.5, abs=0.05)


def test_a_fit_finds_the_model_that_made_the_labels():
    arrays = synthetic(30)
    model = SuspectModel(-4.0, 3.0, 0.0, 0.0, 0.0, 2.0, 5.0, 0.0, MODEL.leap_seen, MODEL.limb_lost)
    causes = clip_signs(Predictions(**arrays), FPS)
    rng = np.random.default_rng(5)
    wrong = rng.random(causes.shape[:2]) < logistic(causes @ model.weights + model.intercept)
    wrong[:, 0] = False
    fitted = arrays["joints_true"] + np.float32([1, 0, 0]) * wrong[..., None]
    found = fit(Predictions(**arrays, joints_fitted=fitted))
    # The fitted joints also give the lengths, which the true model does not look at; likelihoods are what must agree.
    again = clip_signs(Predictions(**arrays, joints_fitted=fitted), FPS)

    def likelihood(given: SuspectModel) -> float:
        chance = logistic(again @ given.weights + given.intercept)[:, 1:]
        return float(np.log(np.where(wrong[:, 1:], chance, 1 - chance)).mean())

    assert likelihood(found) > likelihood(model) - 1e-3
    assert (found.weights >= 0).all()
    assert found.streams_disagree == pytest.approx(3, abs=1)
    assert found.lifter_error == pytest.approx(5, abs=1)


def test_a_fit_never_gives_a_cause_a_negative_weight():
    arrays = synthetic()
    arrays["visibility"] = 1 - arrays["visibility"]
    assert fit(Predictions(**arrays)).visibility == 0


def test_a_fit_to_faultless_predictions_is_refused():
    arrays = synthetic(1)
    with pytest.raises(BadArgument, match="nothing to fit"):
        fit(Predictions(**arrays, joints_fitted=arrays["joints_true"]))


def test_run_fits_on_one_set_and_judges_on_another(saved, capsys):
    train, test = saved("train.npz", **synthetic(seed=1)), saved("test.npz", **synthetic(seed=2))
    evaluation = run(test, train)
    printed = capsys.readouterr().out
    assert evaluation.score.overall > 0.9
    assert "MODEL: Final = SuspectModel(" in printed
    assert f"{evaluation.score.within_joint:.3f}" in printed
    made = source(fit(load_predictions(train)))
    assert made in printed
    scope = {"SuspectModel": SuspectModel, "Final": object}
    exec(made, scope)
    assert scope["MODEL"].intercept == pytest.approx(fit(load_predictions(train)).intercept, abs=1e-3)


def test_a_fit_on_frames_of_the_test_set_is_refused(saved):
    test = synthetic(seed=2)
    mixed = {name: np.concatenate([array, test[name][:1]]) for name, array in synthetic(seed=1).items()}
    with pytest.raises(BadArgument, match="1 frames in common"):
        run(saved("test.npz", **test), saved("train.npz", **mixed))


def test_run_fits_the_leap_to_planted_mistakes_last(saved, capsys, monkeypatch):
    train, test = saved("train.npz", **synthetic(seed=1)), saved("test.npz", **synthetic(seed=2))
    given = []

    def fit_leap(rendered, model):
        given.append((rendered.name, model))
        return dataclasses.replace(model, leap=1.5)

    monkeypatch.setattr(fit_leaps, "fit", fit_leap)
    run(test, train, planted=train.with_name("rendered.npz"))
    assert given == [("rendered.npz", fit(load_predictions(train)))]
    assert "    leap=1.500," in capsys.readouterr().out


def test_a_leap_of_the_detections_is_suspect_where_lifter_and_fit_have_blurred_it():
    seen, doubt = np.zeros((40, 24, 2)), np.full((40, 24), math.log(0.06))
    usual = suspects(good(40, seen=seen, log_error=doubt), HEIGHT, FPS)
    seen[15:20, WRIST] = 0.15, -0.1
    report = suspects(good(40, seen=seen, log_error=doubt), HEIGHT, FPS)
    assert usual.score.max() < 0.2
    assert report.score[15:20, WRIST].min() >= SUSPECT_THRESHOLD
    assert np.array_equal(np.flatnonzero((report.score - usual.score > 0.1).any(1)), np.arange(15, 20))
    assert np.flatnonzero((report.score - usual.score > 0.1).any(0)).tolist() == [WRIST]
    assert report.causes[17, WRIST].argmax() == CAUSES.index("jerk")
    seen[15:20, WRIST] *= 0.3
    assert suspects(good(40, seen=seen, log_error=doubt), HEIGHT, FPS).score.max() < SUSPECT_THRESHOLD


def shown(frames: range, way: float = 0.15) -> np.ndarray:
    """(40, 24, 2) the wrist is elsewhere in the picture for some frames."""
    seen = np.zeros((40, 24, 2))
    seen[frames.start : frames.stop, WRIST] = way, -way
    return seen


def test_what_comes_into_sight_out_of_a_guess_has_not_leapt():
    """The far arm of somebody who walks: guessed on one side of the body, seen on the other, guessed again."""
    doubt, sight = np.full((40, 24), math.log(0.06)), np.ones((40, 24))
    sight[:, WRIST] = 0.1
    sight[15:20, WRIST] = 0.8
    inputs = good(40, seen=shown(range(15, 20)), log_error=doubt, visibility=sight)
    assert suspects(inputs, HEIGHT, FPS).score[15:20, WRIST].max() < SUSPECT_THRESHOLD
    for steady in (0.1, 0.8):  # where it is seen alike, well or badly, it has
        alike = dataclasses.replace(inputs, visibility=np.where(np.arange(24) == WRIST, steady, sight))
        assert suspects(alike, HEIGHT, FPS).score[15:20, WRIST].min() >= SUSPECT_THRESHOLD
    sight[10:15, WRIST] = 0.8  # from sight into a guess is none either way: one side suffices
    assert suspects(dataclasses.replace(inputs, visibility=sight), HEIGHT, FPS).score[15:20].max() < SUSPECT_THRESHOLD


ARM = [JOINTS.index(f"left_{part}") for part in ("elbow", "wrist", "hand")]


def sight_of(frames: slice, joints: list[int], worst: float = 0.1) -> np.ndarray:
    """(60, 24) all are seen, but some for a while."""
    visibility = np.ones((60, 24))
    visibility[frames, joints] = worst
    return visibility


def test_a_limb_that_is_lost_for_a_while_is():
    lost = lost_limbs(sight_of(slice(20, 40), ARM), FPS)
    assert (lost[20:40, ARM] == 1).all()
    lost[20:40, ARM] = 0
    assert not lost.any()


@pytest.mark.parametrize(
    "visibility",
    [
        sight_of(slice(0, 60), ARM),  # never seen
        sight_of(slice(30, 60), ARM),  # not seen again
        sight_of(slice(0, 30), ARM),  # not seen before
        sight_of(slice(20, 40), ARM[1:]),  # a hand behind the back
        sight_of(slice(20, 40), ARM[:1]),  # an elbow alone
        sight_of(slice(20, 40), ARM, worst=0.35),
        sight_of(slice(20, 40), [JOINTS.index("head"), JOINTS.index("neck")]),
    ],
)
def test_what_is_no_lost_limb(visibility):
    assert not lost_limbs(visibility, FPS).any()


def test_a_joint_lost_for_long_is_not_lost_in_the_middle():
    lost = lost_limbs(np.concatenate([sight_of(slice(10, 60), ARM), sight_of(slice(0, 20), ARM)]), FPS)
    assert not lost[33:47].any()


@pytest.mark.parametrize("frames", [0, 1, 2, 5])
@pytest.mark.parametrize("fps", [0.5, 30.0])
def test_lost_limbs_of_any_length(frames, fps):
    assert lost_limbs(np.ones((frames, 24)), fps).shape == (frames, 24)


def test_a_lost_limb_is_suspect_and_told_as_hidden():
    doubt = np.full((60, 24), math.log(0.18))
    inputs = good(60, log_error=doubt, visibility=sight_of(slice(20, 40), ARM))
    report = suspects(inputs, HEIGHT, FPS)
    assert (report.score[20:40, ARM] >= SUSPECT_THRESHOLD).all()
    never = suspects(dataclasses.replace(inputs, visibility=sight_of(slice(0, 60), ARM)), HEIGHT, FPS)
    assert never.score.max() < SUSPECT_THRESHOLD
    assert (report.causes[20:40, ARM].argmax(-1) == CAUSES.index("visibility")).all()
