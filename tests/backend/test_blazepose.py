"""BlazePose's arithmetic beside slow twins, and its networks on a rendered body."""

import math

import cv2
import numpy as np
import pytest

from inference_backend.errors import WeightsCorrupt, WeightsMissing
from inference_backend.estimators import blazepose_landmarks as landmarks
from inference_backend.estimators.blazepose import AlignmentFilter, BlazePose, BlazePoseSettings
from inference_backend.estimators.blazepose_detector import PoseDetector, Roi, anchors, box_overlap, parts, weighted_nms
from inference_backend.estimators.blazepose_graph import Graph, prune
from inference_backend.evaluation.bench_blazepose import Bench, Speed, agreement, table
from inference_backend.install_models import IN_PACKAGE, IN_WHEEL
from inference_backend.skeletons import JOINTS, LANDMARKS
from inference_backend.weights import model_path


def installed():
    try:
        return all(model_path(name) for name in (*IN_WHEEL, *IN_PACKAGE))
    except (WeightsMissing, WeightsCorrupt):
        return False


needs_models = pytest.mark.skipif(not installed(), reason="BlazePose's models are not installed")


def test_anchors_are_two_two_and_six_a_cell():
    centers = anchors()
    assert centers.shape == (2254, 2)
    assert np.allclose(centers[0], 4 / 224)
    assert np.allclose(centers[2], (12 / 224, 4 / 224))
    assert np.allclose(centers[-1], 208 / 224)
    assert len(np.unique(centers, axis=0)) == 28 * 28 + 14 * 14 + 7 * 7


@pytest.mark.parametrize("angle", [0.0, 0.7, -2.0, 3.0])
def test_roi_from_points_undoes_its_own_axes(angle):
    up = np.array([math.sin(angle), -math.cos(angle)])
    roi = Roi.from_points(np.array([30.0, 40.0]), np.array([30.0, 40.0]) + 20 * up, 0.5)
    assert roi.size == pytest.approx(50)
    assert roi.angle == pytest.approx(angle)
    assert np.allclose(roi.to_image(np.array([0.5, 0.5])), (30, 40))
    assert np.allclose(roi.to_image(np.array([0.5, 0.1])), np.array([30, 40]) + 20 * up)


def test_crop_samples_where_to_image_says():
    y, x = np.mgrid[:200, :240].astype(np.uint8)
    roi = Roi(110.3, 95.8, 90.0, 0.4)
    crop = roi.crop(np.stack([x, y, x], axis=2), 64, cv2.BORDER_REPLICATE)
    j, i = np.mgrid[:64, :64]
    expected = roi.to_image(np.stack([i, j], axis=2) / 64)
    assert np.abs(crop[..., :2] - expected).max() < 0.6


def test_parts_cover_wide_and_tall_images():
    assert parts(300, 300) == []
    wide = parts(1280, 720)
    assert [roi.cx for roi in wide] == pytest.approx([360, 640, 920])
    assert all(roi.cy == 360 and roi.size == 720 for roi in wide)
    assert [roi.cy for roi in parts(720, 1280)] == pytest.approx([360, 640, 920])


def test_finer_parts_cover_both_ways():
    fine = parts(1280, 720, 0.5, 0.5)
    assert {roi.size for roi in fine} == {360.0}
    assert sorted({roi.cy for roi in fine}) == pytest.approx([180, 360, 540])
    columns = sorted({roi.cx for roi in fine})
    assert (columns[0], columns[-1]) == (180, 1100)
    assert np.diff(columns).max() <= 180
    assert parts(300, 300, 1.0, 0.5) == []


def test_weighted_nms_matches_the_slow_twin():
    rng = np.random.default_rng(1)
    corner = rng.uniform(0, 1, (40, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.2, 0.5, (40, 2))], axis=1)
    values, scores = rng.normal(size=(40, 4)), rng.uniform(0.5, 1, 40)
    rest, expected = sorted(range(40), key=lambda k: -scores[k]), []
    while rest:
        overlap = box_overlap(boxes[rest[0]], boxes)
        group = [k for k in rest if overlap[k] > 0.3]
        mean = sum(values[k] * scores[k] for k in group) / sum(scores[k] for k in group)
        expected.append((mean, scores[rest[0]]))
        rest = [k for k in rest if k not in group]
    found = weighted_nms(boxes, values, scores)
    assert len(found) == len(expected) > 3
    for (a, score_a), (b, score_b) in zip(found, expected, strict=True):
        assert np.allclose(a, b, atol=1e-12)
        assert score_a == score_b
    assert len(weighted_nms(np.zeros((2, 4)), values[:2], scores[:2])) == 2  # boxes without area end, too


def slow_refine(points, heatmap):
    height, width, _ = heatmap.shape
    refined = points.copy()
    for k, (x, y) in enumerate(points):
        column, row = int(x * width), int(y * height)
        if not (0 <= column < width and 0 <= row < height):
            continue
        total, sum_x, sum_y, best = 0.0, 0.0, 0.0, 0.0
        for r in range(max(row - 3, 0), min(row + 4, height)):
            for c in range(max(column - 3, 0), min(column + 4, width)):
                probability = 1 / (1 + math.exp(-heatmap[r, c, k]))
                best = max(best, probability)
                total, sum_x, sum_y = total + probability, sum_x + probability * c, sum_y + probability * r
        if best >= 0.5:
            refined[k] = sum_x / total / width, sum_y / total / height
    return refined


def test_heatmap_refinement_matches_the_slow_twin():
    rng = np.random.default_rng(2)
    points = rng.uniform(-0.1, 1.1, (35, 2))
    points[0] = (-0.01, 0.5)  # truncated towards zero: still inside
    heatmap = rng.normal(-4, 2.0, (64, 64, 39))
    heatmap[32, 1, 0] = 3
    found = landmarks.refine_with_heatmap(points, heatmap)
    moved = (found != points).any(axis=1)
    assert np.allclose(found, slow_refine(points, heatmap), atol=1e-12)
    assert moved[0]
    assert 3 < moved.sum() < 35


def test_alignment_filter_is_one_euro():
    rng = np.random.default_rng(3)
    path = np.array([[100.0, 100], [100, 20]]) + np.cumsum(rng.normal(0, 2, (20, 2, 2)), axis=0)
    smooth = AlignmentFilter()
    found = [smooth(points, 1 + k % 2) for k, points in enumerate(path)]

    def alpha(cutoff, dt):
        return 1 / (1 + (1 / (2 * math.pi * cutoff)) / dt)

    value, speed, raw = path[0, 1, 0], 0.0, path[0, 1, 0]
    for k in range(1, 20):
        dt = (1 + k % 2) / 30
        diameter = 2 * np.linalg.norm(path[k, 1] - path[k, 0])
        new = (path[k, 1, 0] - raw) / diameter / dt
        speed += alpha(1.0, dt) * (new - speed)
        raw = path[k, 1, 0]
        value += alpha(0.01 + 10 * abs(speed), dt) * (raw - value)
        assert found[k][1, 0] == pytest.approx(value, abs=1e-9)


def test_alignment_filter_leaves_the_constant():
    smooth, points = AlignmentFilter(), np.array([[3.0, 4], [3, 1]])
    assert all(np.array_equal(smooth(points), points) for _ in range(3))


def test_wrong_images_are_refused_with_their_shape():
    for image in (np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3), np.float32), np.zeros((0, 5, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8, found"):
            landmarks.check_image(image)


@pytest.fixture(scope="module")
def rendered():
    """A body in front of a wall, (480, 640, 3), and its 24 joints' pixels (24, 2)."""
    torch = pytest.importorskip("torch")
    from inference_backend.body import load_default_body
    from inference_backend.raster import draw_mesh, project, triangulate

    body = load_default_body()
    pose = torch.zeros(1, 24, 3)
    pose[0, 0, 0] = math.pi  # from the body's frame (y up) to the camera's (y down)
    pose[0, 16, 2], pose[0, 17, 2] = -1.1, 1.1
    out = body.pose(pose, torch.zeros(1, body.shape_count), torch.tensor([[0.0, 0.1, 3.6]]))
    vertices = out.vertices[0].numpy().astype(np.float32)
    image = np.full((480, 640, 3), 150, np.uint8)
    image[360:] = 110
    camera, skin = (600.0, 600.0, 320.0, 240.0), np.full((len(vertices), 3), (0.75, 0.55, 0.45), np.float32)
    triangles = triangulate(body.faces.numpy().astype(np.int32))
    draw_mesh(image, vertices, triangles, camera, skin, np.array([0.3, -0.6, -0.7], np.float32))
    return image, project(out.joints[0].numpy().astype(np.float32), camera)


@needs_models
@pytest.mark.parametrize("size", ["full", "heavy"])
def test_a_rendered_body_is_found_where_it_is(rendered, size):
    image, joints = rendered
    (frame,) = BlazePose(BlazePoseSettings(landmark_model=size)).estimate([(7, image)])
    (one,) = frame.people
    assert (frame.index, frame.decoded, one.person) == (7, True, 0)
    for name in ("shoulder", "knee", "ankle"):
        for side in ("left", "right"):
            found = one.keypoints[LANDMARKS.index(f"{side}_{name}"), :2]
            assert np.linalg.norm(found - joints[JOINTS.index(f"{side}_{name}")]) < 12, (side, name)
    assert one.keypoints.shape == (33, 3)
    assert one.keypoints[:, 2].min() > 0.5
    assert one.presence > 0.9
    world = one.world
    assert world[LANDMARKS.index("left_shoulder"), 0] > 0.1 > -0.1 > world[LANDMARKS.index("right_shoulder"), 0]
    assert world[LANDMARKS.index("nose"), 1] < -0.4
    assert world[LANDMARKS.index("nose"), 2] < world[LANDMARKS.index("left_ear"), 2]
    assert (one.mask.shape, one.mask.dtype) == ((64, 64), np.uint8)
    assert one.mask[32, 32] > 200 > 50 > one.mask[2, 2]


@needs_models
@pytest.mark.parametrize("size", ["full", "heavy"])
def test_a_turned_image_gives_turned_landmarks(rendered, size):
    image, _ = rendered
    model, detector = landmarks.LandmarkModel(size), PoseDetector()
    upright = model(image, detector.detect(image)[0])
    turned = np.ascontiguousarray(image[::-1, ::-1])
    roi = upright.roi
    lying = model(turned, Roi(639 - roi.cx, 479 - roi.cy, roi.size, roi.angle + math.pi))
    back = np.array([639, 479]) - lying.landmarks[:, :2]
    assert np.linalg.norm(back - upright.landmarks[:, :2], axis=1).max() < 5
    assert np.linalg.norm(lying.world * (-1, -1, 1) - upright.world, axis=1).max() < 0.05


@needs_models
def test_nobody_is_found_on_a_wall():
    (frame,) = BlazePose().estimate([(0, np.full((240, 320, 3), 128, np.uint8))])
    assert frame.people == ()


@needs_models
@pytest.mark.parametrize("size", ["full", "heavy"])
def test_without_the_mask_the_rest_is_the_same(rendered, size):
    image, _ = rendered
    model, roi = landmarks.LandmarkModel(size), Roi(320, 260, 400.0, 0.1)
    full, bare = model(image, roi), model(image, roi, with_mask=False)
    assert np.array_equal(full.landmarks, bare.landmarks)
    assert np.array_equal(full.world, bare.world)
    assert full.presence == bare.presence
    assert bare.mask is None


@needs_models
def test_pruning_an_output_that_is_not_there():
    with pytest.raises(ValueError, match=r"\(1, 2, 3\)"):
        prune(model_path("blazepose_detector").read_bytes(), (1, 2, 3))
    graph = Graph("blazepose_detector", without=(1, 2254, 1))
    graph.run(np.zeros((1, 224, 224, 3), np.float32))
    with pytest.raises(KeyError):
        graph.output(1, 2254, 1)


def test_small_mask_is_the_mean_probability_of_each_cell():
    logits = np.random.default_rng(4).normal(size=(256, 256)).astype(np.float32)
    expected = 255 / (1 + np.exp(-logits.astype(np.float64)))
    found = landmarks.small_mask(logits)
    assert np.abs(found - expected.reshape(64, 4, 64, 4).mean(axis=(1, 3))).max() <= 0.51


def test_agreement_is_relative_to_the_box():
    original = np.zeros((10, 33, 3))
    original[:, :, 1] = np.linspace(0, 200, 33)
    ours = original + np.array([1.0, 0, 0])
    ours[3] = np.nan
    found = agreement(ours, original)
    assert (found.median, found.p95, found.frames) == (pytest.approx(0.5), pytest.approx(0.5), 9)
    assert found.jitter == pytest.approx(0)
    text = table(
        Bench(found, found, 0.1, {"original": Speed(30.0, 1.0, 20.0), "ours, 2 workers": Speed(66, 2.2, None)})
    )
    assert "| ours, 2 workers | 66.0 | 2.20 |  |" in text
