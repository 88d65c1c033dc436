"""The compressed form: inverse skinning against its readable form, and the promise of a maximum error, posed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pchmr.inference_backend.errors import BadArgument
from pchmr.pchmr_blender.core import inverse_skinning, low_rank
from pchmr.pchmr_blender.core.compress import Correctives, compress
from pchmr.pchmr_blender.core.form_costs import Form, default_form, form_cost
from pchmr.pchmr_blender.core.inverse_skinning import Skin, deform_transforms, pose_points, unpose, unpose_exactly
from pchmr.pchmr_blender.core.low_rank import LowRank
from pchmr.pchmr_blender.core.minimax import fewest_rows
from pchmr.pchmr_blender.core.posed_clip import PosedClip
from pchmr.pchmr_blender.core.row_keys import row_keys
from pchmr.pchmr_blender.core.skeleton import rest_bones, skeleton_pose

from ..people import PARENTS, MadeUpPerson, turned

FRAMES, VERTICES = 90, 240
PERSON = MadeUpPerson(FRAMES)


def quiet(done: int, total: int) -> None:
    pass


def body(seed: int = 1) -> Skin:
    """Points around the joints, each held by a joint and its parent."""
    random = np.random.default_rng(seed)
    joints = np.stack([random.integers(1, 24, VERTICES)] * 2, 1)
    joints[:, 1] = np.array(PARENTS)[joints[:, 0]]
    rest = PERSON.rest_joints[joints[:, 0]] + random.normal(scale=0.05, size=(VERTICES, 3))
    share = random.uniform(0.5, 1, VERTICES)
    weights = np.stack([share, 1 - share], 1).astype(np.float32)
    return Skin.from_influences(rest.astype(np.float32), joints.astype(np.int32), weights)


def gentle(person: MadeUpPerson, angle: float = 0.5) -> np.ndarray:
    """Transforms of a motion whose joints bend by less than `angle`: (F, 24, 3, 4)."""
    time = np.linspace(0, 6, person.frame_count)
    local = np.stack(
        [turned(np.array([1.0, j % 3, j % 2]), angle * np.sin(time * (1 + j % 5) + j)) for j in range(24)], 1
    )
    rotations, joints = local.copy(), np.zeros((person.frame_count, 24, 3))
    joints[:, 0] = np.stack([time, 0 * time, 1 + 0 * time], -1)
    for joint, parent in enumerate(PARENTS[1:], 1):
        rotations[:, joint] = rotations[:, parent] @ local[:, joint]
        bone = person.rest_joints[joint] - person.rest_joints[parent]
        joints[:, joint] = joints[:, parent] + rotations[:, parent] @ bone
    rest = rest_bones(person.rest_joints)
    return deform_transforms(rest, skeleton_pose(rest, rotations, joints))


def posed(skin: Skin, transforms: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Readable linear blend skinning, float64. Offsets (F, N, 3) → (F, N, 3)."""
    points = skin.rest.T.astype(np.float64) + offsets
    moved = np.zeros((len(transforms), *skin.rest.T.shape))
    for joint, weights in enumerate(skin.weights.astype(np.float64)):
        turn, place = transforms[:, joint, :, :3].astype(np.float64), transforms[:, joint, :, 3].astype(np.float64)
        moved += weights[:, None] * (points @ turn.swapaxes(-1, -2) + place[:, None])
    return moved


def rebuilt(skin: Skin, transforms: np.ndarray, found: Correctives) -> np.ndarray:
    sums = np.einsum("fk,knc->fnc", found.values.astype(np.float64), found.offsets.astype(np.float64))
    return posed(skin, transforms, sums)


def clip_of(skin: Skin, transforms: np.ndarray, meshes: np.ndarray) -> PosedClip:
    return PosedClip(lambda start, stop: meshes[start:stop].astype(np.float32), skin, transforms)


def bulges(frames: int = FRAMES, kinds: int = 6, size: float = 0.01, seed: int = 3) -> np.ndarray:
    """Offsets that are sums of a few shapes, centimetres large, and a little noise: (F, N, 3)."""
    random = np.random.default_rng(seed)
    shapes = random.normal(scale=size, size=(kinds, VERTICES, 3))
    amounts = np.sin(np.linspace(0, 9, frames)[:, None] * (1 + seed / 3 + np.arange(kinds)) + np.arange(kinds))
    return np.einsum("fk,knc->fnc", amounts, shapes) + random.normal(scale=2e-5, size=(frames, VERTICES, 3))


def test_transforms_carry_rest_joints_to_the_person_s_joints() -> None:
    rest = rest_bones(PERSON.rest_joints)
    transforms = deform_transforms(rest, skeleton_pose(rest, PERSON.rotations, PERSON.joints))
    assert transforms.shape == (FRAMES, 24, 3, 4)
    assert np.allclose(transforms[..., :3], PERSON.rotations, atol=1e-5)
    carried = np.einsum("fjab,jb->fja", transforms[..., :3], PERSON.rest_joints) + transforms[..., 3]
    assert np.allclose(carried, PERSON.joints, atol=1e-5)


def test_transforms_of_a_stretched_person_meet_the_joints_too() -> None:
    rest = rest_bones(PERSON.rest_joints)
    transforms = deform_transforms(rest, skeleton_pose(rest, PERSON.rotations, PERSON.joints_target))
    carried = np.einsum("fjab,jb->fja", transforms[..., :3], PERSON.rest_joints) + transforms[..., 3]
    assert np.linalg.norm(carried - PERSON.joints_target, axis=-1).max() < 0.001


def test_skinning_is_the_readable_one() -> None:
    skin, transforms = body(), gentle(PERSON)
    fast = pose_points(skin.blends(transforms), skin.rest[None]).transpose(0, 2, 1)
    assert np.allclose(fast, posed(skin, transforms, np.zeros(3)), atol=2e-6)


def test_unpose_undoes_pose_and_agrees_with_the_exact_form() -> None:
    skin, transforms, offsets = body(), gentle(PERSON, 0.4), bulges()
    blends = skin.blends(transforms)
    meshes = np.ascontiguousarray(posed(skin, transforms, offsets).transpose(0, 2, 1), np.float32)
    found = unpose(blends, skin.rest, meshes)
    assert np.abs(found.transpose(0, 2, 1) - offsets).max() < 5e-5
    assert np.abs(found - unpose_exactly(blends, skin.rest, meshes)).max() < 5e-5


def test_unpose_stays_small_where_a_joint_is_turned_inside_out() -> None:
    half = np.zeros((1, 24, 3, 4), np.float32)
    half[:, :, :, :3] = np.eye(3)
    half[:, 1:, :, :3] = turned(np.array([1.0, 0, 0]), np.array([np.pi]))[:, None]
    skin = Skin(np.zeros((3, 1), np.float32), np.array([[0.5], [0.5], *[[0.0]] * 22], np.float32))
    found = unpose(skin.blends(half), skin.rest, np.full((1, 3, 1), 0.01, np.float32))
    assert np.abs(found).max() < 0.011
    assert np.isclose(found[0, 0, 0], 0.01, atol=1e-5)


@pytest.mark.parametrize("tolerance_mm", [0.2, 1.0, 4.0])
def test_no_vertex_is_further_off_than_was_promised(tolerance_mm: float) -> None:
    skin, transforms = body(), gentle(PERSON)
    meshes = posed(skin, transforms, bulges(kinds=20))
    found = compress(clip_of(skin, transforms, meshes), tolerance_mm, quiet)
    off = np.linalg.norm(rebuilt(skin, transforms, found) - meshes, axis=-1)
    assert off.max() <= tolerance_mm / 1000 * 1.001
    assert np.isclose(off.max(), found.max_error, atol=2e-6)
    assert found.values.min() >= 0
    assert found.values.max() <= 1


def test_keys_are_as_few_as_the_motion_has_shapes() -> None:
    skin, transforms = body(), gentle(PERSON)
    meshes = posed(skin, transforms, bulges(kinds=6))
    found = compress(clip_of(skin, transforms, meshes), 0.5, quiet)
    steady = (found.values == 1).all(0)
    assert np.count_nonzero(~steady) <= 6
    assert np.count_nonzero(steady) <= 1


def test_a_larger_tolerance_needs_fewer_keys() -> None:
    skin, transforms = body(), gentle(PERSON)
    falling = sum(bulges(kinds=1, size=0.02 * 0.75**shape, seed=shape) for shape in range(24))
    clip = clip_of(skin, transforms, posed(skin, transforms, falling))
    counts = [len(compress(clip, tolerance, quiet).offsets) for tolerance in (0.5, 2.0, 10.0)]
    assert counts[0] > counts[1] > counts[2]


def test_a_purely_skinned_body_needs_no_keys() -> None:
    skin, transforms = body(), gentle(PERSON)
    found = compress(clip_of(skin, transforms, posed(skin, transforms, np.zeros(3))), 1.0, quiet)
    assert found.offsets.shape == (0, VERTICES, 3)
    assert found.values.shape == (FRAMES, 0)
    assert found.max_error < 1e-5


@pytest.mark.parametrize("frames", [1, 2, 17])
def test_short_clips(frames: int) -> None:
    skin, transforms = body(), gentle(PERSON)[:frames]
    meshes = posed(skin, transforms, bulges(frames))
    found = compress(clip_of(skin, transforms, meshes), 1.0, quiet)
    assert np.linalg.norm(rebuilt(skin, transforms, found) - meshes, axis=-1).max() <= 0.001


def test_noise_that_no_few_keys_hold_is_kept_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(low_rank, "_KEEP", 8)
    skin, transforms = body(), gentle(PERSON)
    meshes = posed(skin, transforms, np.random.default_rng(0).normal(scale=0.004, size=(FRAMES, VERTICES, 3)))
    found = compress(clip_of(skin, transforms, meshes), 1.0, quiet)
    assert len(found.offsets) > 8
    assert np.linalg.norm(rebuilt(skin, transforms, found) - meshes, axis=-1).max() <= 0.00101


def test_a_frame_with_a_joint_turned_inside_out_gets_a_key_of_its_own() -> None:
    skin, transforms = body(), gentle(PERSON, 0.3)
    for joint in (18, 20, 22):  # the left arm from the elbow on, nearly half a turn about itself
        pivot = transforms[40, 18, :, :3] @ PERSON.rest_joints[18] + transforms[40, 18, :, 3]
        turn = turned(np.array([1.0, 0, 0]), np.array([3.12]))[0]
        transforms[40, joint, :, :3] = turn @ transforms[40, joint, :, :3]
        transforms[40, joint, :, 3] = turn @ (transforms[40, joint, :, 3] - pivot) + pivot
    meshes = posed(skin, transforms, bulges(kinds=4))
    meshes[40] += np.random.default_rng(0).normal(scale=0.01, size=(VERTICES, 3))
    found = compress(clip_of(skin, transforms, meshes), 1.0, quiet)
    own = [key for key in found.values.T if np.count_nonzero(key) == 1]
    assert [int(np.flatnonzero(key)[0]) for key in own] == [40]
    assert np.linalg.norm(rebuilt(skin, transforms, found) - meshes, axis=-1).max() <= 0.00101


def test_a_body_that_skinning_flattens_is_refused_by_name() -> None:
    skin, transforms = body(), gentle(PERSON)
    meshes = posed(skin, transforms, np.zeros(3))
    meshes[3] += 0.05
    flat = transforms.copy()
    flat[3, :, :, :3] = 0  # no rest pose can put two vertices of one point apart
    with pytest.raises(BadArgument, match="inside out in row 3"):
        compress(clip_of(skin, flat, meshes), 1.0, quiet)


@pytest.mark.parametrize("tolerance_mm", [0.0, -1.0, 0.01, float("nan")])
def test_tolerances_that_cannot_be_kept_are_refused(tolerance_mm: float) -> None:
    skin, transforms = body(), gentle(PERSON)
    with pytest.raises(BadArgument):
        compress(clip_of(skin, transforms, posed(skin, transforms, np.zeros(3))), tolerance_mm, quiet)


def test_frames_are_read_a_few_at_a_time_and_progress_never_falls() -> None:
    skin, transforms = body(), gentle(PERSON)
    clip = clip_of(skin, transforms, posed(skin, transforms, bulges()))
    asked, told = [], []

    def rows(start: int, stop: int) -> np.ndarray:
        asked.append(stop - start)
        return clip.vertices(start, stop)

    compress(replace(clip, vertices=rows), 1.0, lambda done, total: told.append(done / total))
    assert max(asked) <= 16
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_what_tick_raises_ends_the_work() -> None:
    skin, transforms = body(), gentle(PERSON)
    clip = clip_of(skin, transforms, posed(skin, transforms, bulges()))

    def stop(done: int, total: int) -> None:
        if done == FRAMES:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress(clip, 1.0, stop)


def test_streamed_frames_are_what_one_svd_gives() -> None:
    random = np.random.default_rng(5)
    frames = (random.normal(size=(500, 12)) * 0.8 ** np.arange(12)) @ random.normal(size=(12, 90))
    space = LowRank(90, 1e-3)
    for part in np.array_split(frames.astype(np.float32), 33):
        space.add(part)
    values, rows = space.finish()
    assert np.abs(values @ rows - frames).max() < 1e-3
    assert np.allclose(np.linalg.norm(rows, axis=1)[:12], np.linalg.svd(frames)[1][:12], rtol=1e-3)


def test_weighing_needs_fewer_rows_than_the_svd_for_the_same_maximum() -> None:
    random = np.random.default_rng(6)
    frames = random.normal(size=(200, 30)) * 0.85 ** np.arange(30) @ random.normal(size=(30, 300)) * 0.002
    frames[::37, ::23] *= 3
    u, s, v = np.linalg.svd(frames, full_matrices=False)
    least = next(
        k
        for k in range(len(s))
        if np.linalg.norm((frames - (u[:, :k] * s[:k]) @ v[:k]).reshape(200, 3, 100), axis=1).max() <= 0.002
    )
    basis = fewest_rows((u * s).astype(np.float32), v.astype(np.float32), 0.002, lambda: None)
    assert len(basis.rows) < least
    assert basis.weights.shape == (100,)


@pytest.mark.parametrize(
    ("frames", "kept"),
    [
        (np.arange(1000) * 1.0, [0, 999]),
        (np.arange(500) * 0.8 + 3.7, [0, 499]),
        (np.concatenate([np.arange(10), 9 + 2.0 * np.arange(1, 11)]), [0, 9, 19]),
        (np.array([4.0]), [0]),
        (np.array([4.0, 5.0]), [0, 1]),
    ],
)
def test_rows_are_keyed_where_the_rate_changes(frames: np.ndarray, kept: list[int]) -> None:
    assert row_keys(frames).tolist() == kept


def test_every_row_is_met_between_the_keys_of_an_uneven_clip() -> None:
    random = np.random.default_rng(8)
    frames = np.cumsum(np.where(np.arange(400) < 200, 1.0, random.choice([0.5, 1, 3], 400)))
    kept = row_keys(frames)
    assert np.abs(np.interp(frames, frames[kept], kept) - np.arange(400)).max() <= 2e-3
    assert len(kept) < 250


def test_costs_tell_the_forms_apart() -> None:
    absolute, compressed, cache = (form_cost(form, 3000, 13718, 1.0) for form in Form)
    assert absolute.blend == 3001 * 13718 * 12
    assert not absolute.estimated
    assert compressed.estimated
    assert compressed.blend < 0.15 * absolute.blend
    assert (cache.blend, cache.disk) == (0, 3000 * 13718 * 12)
    assert form_cost(Form.COMPRESSED, 3000, 13718, 5.0).blend < compressed.blend


def test_the_mesh_cache_is_the_default_of_long_clips() -> None:
    assert [default_form(frames) for frames in (1, 300, 301, 10_000)] == [Form.ABSOLUTE] * 2 + [Form.PC2] * 2


def test_shapes_are_checked_at_the_door() -> None:
    with pytest.raises(ValueError, match="rest_vertices"):
        Skin.from_influences(np.zeros((5, 2), np.float32), np.zeros((5, 4), np.int32), np.zeros((5, 4), np.float32))
    assert inverse_skinning.Skin is Skin
