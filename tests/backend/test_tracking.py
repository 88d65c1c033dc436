"""Who is who from frame to frame, and which person a take is about."""

import itertools

import numpy as np
import pytest

from inference_backend.errors import NoPersonFound
from inference_backend.tracking import Track, TrackBook, associate, choose, overlaps, squares


def boxes(rng, count):
    corner = rng.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(5, 60, (count, 2))], axis=1)


def slow_overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def test_overlaps_match_the_slow_twin():
    rng = np.random.default_rng(0)
    a, b = boxes(rng, 5), boxes(rng, 7)
    assert np.allclose(overlaps(a, b), [[slow_overlap(x, y) for y in b] for x in a], atol=1e-12)


def test_overlaps_of_points_and_wrong_shapes():
    assert overlaps(np.zeros((1, 4)), np.zeros((1, 4)))[0, 0] == 0
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        overlaps(np.zeros((2, 3)), np.zeros((1, 4)))


@pytest.mark.parametrize(("a", "b"), [(1, 4), (3, 1), (3, 4), (4, 2), (3, 3)])
def test_associate_finds_the_best_sum_of_all(a, b):
    rng = np.random.default_rng(a * 10 + b)
    for _ in range(20):
        boxes_a, boxes_b = boxes(rng, a), boxes(rng, b)
        overlap = overlaps(squares(boxes_a), squares(boxes_b))
        gain = np.where(overlap >= 0.2, overlap, 0)
        if a > b:
            gain = gain.T
        rows = range(gain.shape[0])
        best = max(gain[rows, list(chosen)].sum() for chosen in itertools.permutations(range(gain.shape[1]), len(rows)))
        pairs = associate(boxes_a, boxes_b, 0.2)
        assert sum(overlap[i, j] for i, j in pairs) == pytest.approx(best)
        assert all(overlap[i, j] >= 0.2 for i, j in pairs)


def test_a_standing_person_is_met_again_a_few_steps_on():
    before, after = np.array([[0, 0, 40, 120.0]]), np.array([[75, 0, 115, 120.0]])
    assert overlaps(before, after)[0, 0] == 0
    assert associate(before, after) == [(0, 0)]
    assert np.array_equal(squares(before), [[-40, 0, 80, 120]])


def test_associate_nothing():
    assert associate(np.zeros((0, 4)), np.ones((2, 4))) == []
    far = np.array([[0, 0, 1, 1.0]])
    assert associate(far, far + 100) == []


def book(*people):
    """A book of people, each (first frame, number of frames, side of the box, presence)."""
    found = TrackBook()
    for person, (first, count, side, presence) in enumerate(people):
        for frame in range(first, first + count):
            found.add(frame, person, np.array([5, 5, 5 + side, 5 + side], np.float32), presence)
    return found


def test_tracks_come_by_area_times_duration():
    tracks = book((0, 60, 10, 1), (20, 60, 20, 1), (0, 100, 12, 1)).tracks(fps=30)
    assert [track.person for track in tracks] == [1, 2, 0]
    assert (tracks[0].start, tracks[0].end) == (20, 79)
    assert tracks[0].size == pytest.approx(60 * 400)
    assert tracks[0].boxes.shape == (60, 4)
    assert tracks[0].boxes.dtype == np.float32


def test_short_tracks_are_dropped_but_not_in_short_clips():
    assert [track.person for track in book((0, 60, 10, 1), (0, 14, 99, 1)).tracks(fps=30)] == [0]
    assert [track.person for track in book((0, 3, 10, 1)).tracks(fps=30)] == [0]
    broken = TrackBook()  # a short clip with a frame that could not be decoded
    for frame in (0, 1, 2, 4, 5):
        broken.add(frame, 0, np.array([5, 5, 9, 9], np.float32))
    assert [len(track.frames) for track in broken.tracks(fps=30)] == [5]
    assert [track.person for track in book((0, 3, 10, 1), (90, 4, 10, 1)).tracks(fps=30)] == [1, 0]
    assert TrackBook().tracks(fps=30) == ()


def test_what_is_hardly_a_person_is_dropped_where_people_are():
    assert [track.person for track in book((0, 60, 10, 0.99), (0, 60, 99, 0.9)).tracks(fps=30)] == [0]
    assert [track.person for track in book((0, 60, 10, 0.8), (0, 60, 99, 0.9)).tracks(fps=30)] == [1, 0]


def seen(found, person, frames, x, size=100.0):
    """Somebody `size` px tall at x px in these frames."""
    for frame in frames:
        found.add(frame, person, np.array([x - 20, 200 - size, x + 20, 200], np.float32))


def test_somebody_lost_and_seen_again_nearby_is_one_person():
    found = TrackBook()
    seen(found, 0, range(60), 100)
    seen(found, 1, range(60, 100), 400)
    seen(found, 2, range(90, 150), 200, size=120)  # a second later, a stature further
    seen(found, 5, range(160, 200), 220)
    tracks = found.tracks(fps=30)
    assert [(track.person, track.also, track.start, track.end) for track in tracks] == [
        (0, (2, 5), 0, 199), (1, (), 60, 99)
    ]  # fmt: skip
    assert len(tracks[0].frames) == 160
    assert tracks[0].presence == 1


@pytest.mark.parametrize(
    ("frames", "x", "size"),
    [
        (range(130, 200), 100, 100),  # too late
        (range(66, 130), 400, 100),  # too far
        (range(66, 130), 100, 300),  # too large
        (range(40, 130), 100, 100),  # both are there
    ],
)
def test_somebody_else_is_somebody_else(frames, x, size):
    found = TrackBook()
    seen(found, 0, range(60), 100)
    seen(found, 1, frames, x, size)
    assert len(found.tracks(fps=30)) == 2


def test_the_nearest_goes_on():
    found = TrackBook()
    seen(found, 0, range(60), 100)
    seen(found, 1, range(70, 110), 160)
    seen(found, 2, range(72, 140), 110)
    tracks = {track.person: track.also for track in found.tracks(fps=30)}
    assert tracks == {0: (2,), 1: ()}


def test_time_counts_where_only_every_third_frame_is_noted():
    found = TrackBook()
    seen(found, 0, range(0, 180, 3), 100)
    seen(found, 1, range(240, 360, 3), 200)  # two thirds of a second of 90 frames a second
    assert [track.also for track in found.tracks(fps=30)] == [(1,)]


def test_frames_must_ascend():
    found = book((0, 5, 10, 1))
    with pytest.raises(ValueError, match="ascend"):
        found.add(4, 0, np.zeros(4, np.float32))


def test_choose():
    tracks = [Track(person, np.arange(3), np.zeros((3, 4), np.float32), 1.0) for person in (7, 2)]
    assert [track.person for track in choose(tracks)] == [7]
    assert [track.person for track in choose(tracks, 1)] == [2]
    assert [track.person for track in choose(tracks, "all")] == [7, 2]
    with pytest.raises(NoPersonFound, match="no person 2: 2 found"):
        choose(tracks, 2)
    with pytest.raises(NoPersonFound, match="any frame"):
        choose([], "all")
