"""The user's SMPL files: written here as the real ones are, read without running anything, posed as smplx does it."""

from __future__ import annotations

import collections
import pickle
import struct
import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from inference_backend.body import BodyModel, load_default_body
from inference_backend.errors import BadArgument, BodyInvalid, UnsafePickle, WeightsCorrupt, WeightsMissing
from inference_backend.landmark_transfer import landmark_regressor_from_geometry, onto_rest_pose, transfer_regressor
from inference_backend.smpl_files import load_smpl, smplx_forward, smplx_shape_count
from inference_backend.smpl_unpickler import load_pickled_arrays

from .synthetic_body import synthetic_body, with_fingers, with_shape, with_vertices

JOINT_COUNTS = {"smpl": 24, "smplh": 52, "smplx": 55}


def body_of(kind: str) -> BodyModel:
    body = synthetic_body(7, pose_blend=True)
    return body if kind == "smpl" else with_fingers(body, JOINT_COUNTS[kind])


def file_content(body: BodyModel, vertex_count: int | None = None) -> dict[str, Any]:
    """A body as SMPL's keys, padded with unused vertices to `vertex_count`."""
    more = 0 if vertex_count is None else vertex_count - body.vertex_count
    regressor = body.joint_regressor.dense(body.vertex_count).numpy()

    def padded(tensor: torch.Tensor) -> np.ndarray:
        return np.concatenate([tensor.numpy(), tensor[:1].expand(more, *tensor.shape[1:]).numpy()])

    return {
        "v_template": padded(body.template),
        "shapedirs": padded(body.shapedirs),
        "posedirs": padded(body.posedirs),
        "weights": padded(body.weights),
        "J_regressor": sparse.csc_matrix(np.pad(regressor, ((0, 0), (0, more)))),
        "J": body.rest(torch.zeros(1, 10))[1][0].numpy(),
        "f": body.triangles.numpy().astype(np.uint32),
        "kintree_table": np.array([body.parents, range(body.joint_count)], np.int64).astype(np.uint32),
        "bs_type": "lrotmin",
        "bs_style": "lbs",
    }


def dense(content: dict[str, Any]) -> dict[str, Any]:
    """As an npz file holds it."""
    return content | {"J_regressor": content["J_regressor"].toarray()}


def write(path: Path, content: object, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def assert_same_body(read: BodyModel, body: BodyModel) -> None:
    pose = 0.5 * torch.randn(2, body.joint_count, 3)
    betas = torch.randn(2, body.shape_count)
    torch.testing.assert_close(read.pose(pose, betas).vertices, body.pose(pose, betas).vertices, atol=1e-5, rtol=0)
    assert read.parents == body.parents
    assert read.smpl24 == body.smpl24


# --- loading -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pkl", ".npz"])
@pytest.mark.parametrize("kind", JOINT_COUNTS)
def test_each_kind_reads_back(tmp_path: Path, kind: str, suffix: str) -> None:
    body = body_of(kind)
    path = tmp_path / f"modèle {kind}{suffix}"
    if suffix == ".pkl":
        write(path, file_content(body))
    else:
        np.savez(path, **dense(file_content(body)), joint2num=np.array({"Pelvis": 0}, dtype=object))
    read = load_smpl(path, reference=synthetic_body(7))
    assert_same_body(read, body)
    assert read.name == kind
    assert "non-commercial" in read.licence
    assert read.landmarks(read.template[None]).shape == (1, 33, 3)
    assert read.h36m(read.template[None]).shape == (1, 17, 3)
    top, sole = read.stature_vertices
    assert read.template[top, 1] == read.template[:, 1].max()
    assert read.template[sole, 1] == read.template[:, 1].min()


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_reads_the_same(tmp_path: Path, protocol: int) -> None:
    body = body_of("smpl")
    content = file_content(body) | {"fortran": np.asfortranarray(body.template.numpy()), "empty": np.zeros((0, 3))}
    read = load_pickled_arrays(write(tmp_path / "a.pkl", content | {"number": np.float64(3.5)}, protocol))
    for key in ("v_template", "shapedirs", "posedirs", "weights", "J", "f", "kintree_table", "fortran", "empty"):
        np.testing.assert_array_equal(read[key], content[key])
        assert read[key].dtype == content[key].dtype
    np.testing.assert_array_equal(read["J_regressor"].toarray(), content["J_regressor"].toarray())
    assert read["number"] == 3.5
    assert read["bs_type"] == "lrotmin"


def test_old_files_with_other_byte_order_and_rows_read_the_same(tmp_path: Path) -> None:
    body = body_of("smpl")
    content = file_content(body)
    content["v_template"] = content["v_template"].astype(">f8")
    content["J_regressor"] = content["J_regressor"].tocsr()
    assert_same_body(load_smpl(write(tmp_path / "a.pkl", content), synthetic_body(7)), body)


def python2_array(shape: tuple[int, ...], values: list[float]) -> bytes:
    """Opcodes of a float64 array as Python 2's numpy wrote it: its bytes are a text."""
    data = struct.pack(f"<{len(values)}d", *values)
    sizes = b"(" + b"".join(b"K" + bytes([size]) for size in shape) + b"t"
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01" + sizes
        + b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + b"T" + struct.pack("<i", len(data)) + data + b"tb"
    )  # fmt: skip


def test_python_2_pickles_are_read(tmp_path: Path) -> None:
    values = [1.5, -2e300, np.pi, 0.0, 255.0, -1e-300]
    matrix = (
        b"cscipy.sparse.csc\ncsc_matrix\n)\x81}(U\x06_shapeK\x01K\x02\x86U\x04data" + python2_array((1,), [4.0])
        + b"U\x07indices" + python2_array((1,), [0.0]) + b"U\x06indptr" + python2_array((3,), [0.0, 0.0, 1.0])
        + b"U\x06formatU\x03cscub"
    )  # fmt: skip
    (tmp_path / "a.pkl").write_bytes(
        b"\x80\x02}(U\x0av_template" + python2_array((2, 3), values) + b"U\x01J" + matrix + b"u."
    )
    read = load_pickled_arrays(tmp_path / "a.pkl")
    np.testing.assert_array_equal(read["v_template"], np.array(values).reshape(2, 3))
    np.testing.assert_array_equal(read["J"].toarray(), [[0.0, 4.0]])


class Ch:
    """What chumpy's arrays look like to pickle."""

    def __init__(self, x: object, **more: object) -> None:
        self.__dict__.update(x=x, _dirty_vars={"x"}, _itr=None, **more)


class Select:
    def __init__(self, a: object, idxs: np.ndarray, preferred_shape: tuple[int, ...] | None) -> None:
        self.__dict__.update(a=a, idxs=idxs, preferred_shape=preferred_shape)


@pytest.fixture
def chumpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """chumpy's names, for writing; they are gone from the file's reader."""
    for module, cls in (("chumpy.ch", Ch), ("chumpy.reordering", Select)):
        fake = types.ModuleType(module)
        setattr(fake, cls.__name__, cls)
        monkeypatch.setattr(cls, "__module__", module)
        monkeypatch.setitem(sys.modules, module, fake)
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))


@pytest.mark.usefixtures("chumpy")
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_chumpy_arrays_are_read_without_chumpy(tmp_path: Path, protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    body = body_of("smpl")
    content = file_content(body)
    shapes = content["shapedirs"]
    wide = np.concatenate([shapes, np.zeros_like(shapes)], -1)
    chosen = np.arange(wide.size).reshape(wide.shape)[..., :10].ravel()
    content["shapedirs"] = Select(Ch(wide), chosen, shapes.shape)
    content["posedirs"] = Ch(Ch(content["posedirs"]))
    path = write(tmp_path / "a.pkl", content, protocol)
    for module in ("chumpy", "chumpy.ch", "chumpy.reordering"):
        monkeypatch.delitem(sys.modules, module)
    assert_same_body(load_smpl(path, synthetic_body(7)), body)


@pytest.mark.parametrize(("columns", "shapes"), [(400, 300), (20, 10), (10, 10)])
def test_smplx_files_lose_their_expressions(tmp_path: Path, columns: int, shapes: int) -> None:
    assert smplx_shape_count(columns) == shapes
    content = dense(file_content(body_of("smplx")))
    content["shapedirs"] = np.tile(content["shapedirs"], (1, 1, columns // 10))
    np.savez(tmp_path / "a.npz", **content)
    assert load_smpl(tmp_path / "a.npz", synthetic_body(7)).shape_count == shapes


def test_the_shipped_body_is_the_reference_by_default(tmp_path: Path) -> None:
    read = load_smpl(write(tmp_path / "a.pkl", file_content(body_of("smpl"))))
    nose, heel = read.landmarks(read.template[None])[0, [0, 29]]
    assert nose[1] > 1.5
    assert heel[1] < 0.2


# --- files that are wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "trouble"),
    [
        *(
            (key, None, "is missing")
            for key in file_content(body_of("smpl"))
            if key not in ("J", "bs_type", "bs_style")
        ),
        ("weights", np.ones((1120, 24)), "sum to 1"),
        ("weights", np.ones((1120, 23)), "shape"),
        ("posedirs", np.zeros((1120, 3, 206)), "shape"),
        ("f", np.full((5, 3), 1120), "outside"),
        ("J_regressor", sparse.csr_matrix((24, 10**9)), "shape"),
        ("v_template", np.array([[None] * 3] * 1120), "objects"),
        ("kintree_table", np.zeros((2, 30), np.int64), "30 joints"),
        ("kintree_table", np.array([[0] * 24, range(24)]), "skeleton"),
    ],
)
def test_a_wrong_array_is_named(tmp_path: Path, key: str, value: object, trouble: str) -> None:
    content = file_content(body_of("smpl"))
    if value is None:
        del content[key]
    else:
        content[key] = value
    with pytest.raises(BodyInvalid, match=trouble) as caught:
        load_smpl(write(tmp_path / "a.pkl", content), synthetic_body(7))
    assert caught.value.facts["key"] == key
    assert "a.pkl" in caught.value.message


def test_absent_and_foreign_files_are_told_apart(tmp_path: Path) -> None:
    for name in ("a.pkl", "a.npz"):
        with pytest.raises(WeightsMissing):
            load_smpl(tmp_path / name)
    (tmp_path / "a.obj").write_bytes(b"")
    with pytest.raises(BadArgument, match="neither"):
        load_smpl(tmp_path / "a.obj")


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    "damage",
    [cut, lambda _: b"", lambda _: b"\x00junk", lambda _: pickle.dumps([1]), lambda _: pickle.dumps({1: 2})],
    ids=["cut", "empty", "junk", "a list", "no names"],
)
def test_damaged_pickles_are_corrupt(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    (tmp_path / "a.pkl").write_bytes(damage(pickle.dumps(file_content(body_of("smpl")))))
    with pytest.raises(WeightsCorrupt):
        load_smpl(tmp_path / "a.pkl")


# --- files that mean harm ----------------------------------------------------------------------------------------


class Calls:
    """Pickled as a call of a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


def refused(path: Path) -> str:
    with pytest.raises(UnsafePickle) as caught:
        load_pickled_arrays(path)
    error = caught.value
    assert path.name in error.message
    assert "download" in error.hint
    return f"{error.facts['module']}.{error.facts['name']}"


@pytest.mark.parametrize("protocol", range(6))
def test_a_shell_command_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    import os

    trace = tmp_path / "trace"
    body = file_content(body_of("smpl"))
    path = write(tmp_path / "a.pkl", body | {"v_template": Calls(os.system, f'echo > "{trace}"')}, protocol)
    assert refused(path) == f"{os.system.__module__}.system"
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists(), "the file does harm where nothing holds it back"


@pytest.mark.parametrize(
    "function",
    [
        eval, exec, getattr, __import__, open, type, bytearray, np.load, np.fromfile, np.frombuffer, np.memmap,
        np.array, np.empty, sparse.load_npz, sparse.coo_matrix, subprocess.Popen, pickle.loads, collections.OrderedDict,
    ],
    ids=lambda function: function.__name__,
)  # fmt: skip
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_other_functions_are_refused(tmp_path: Path, function: Any, protocol: int) -> None:
    path = write(tmp_path / "a.pkl", {"v_template": [Calls(function, "1")]}, protocol)
    assert refused(path).endswith(function.__name__)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("numpy", "ndarray.tofile"),
        ("numpy", "ndarray.__class__"),
        ("numpy", "dtype.__class__.__subclasses__"),
        ("numpy", "os.system"),
        ("numpy.core.multiarray", "_reconstruct.__globals__"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy.core.multiarray", "ndarray"),
        ("_codecs", "decode"),
        ("copyreg", "__newobj__"),
        ("copyreg", "_reconstructor.__globals__"),
        ("chumpy.ch", "Ch.compute_r"),
        ("chumpy.utils", "timer"),
        ("inference_backend.pickle_stand_ins", "Function"),
        ("builtins", "set.__init__"),
    ],
)
def test_attributes_of_allowed_names_are_refused(tmp_path: Path, module: str, name: str) -> None:
    stacked = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name)) + b"\x93"
    for start, reference in ((b"\x80\x04", stacked), (b"\x80\x02", f"c{module}\n{name}\n".encode())):
        (tmp_path / "a.pkl").write_bytes(start + reference + b".")
        assert refused(tmp_path / "a.pkl") == f"{module}.{name}"


def test_references_outside_the_file_are_refused(tmp_path: Path) -> None:
    for reference in (b"\x80\x02Pname\n.", b"\x80\x02U\x04nameQ."):
        (tmp_path / "a.pkl").write_bytes(reference)
        assert refused(tmp_path / "a.pkl") == "persistent.id"


def test_old_style_instances_are_refused(tmp_path: Path) -> None:
    for reference in (b"(S'echo'\nios\nsystem\n.", b"(cos\nsystem\nS'echo'\no."):
        (tmp_path / "a.pkl").write_bytes(reference)
        assert refused(tmp_path / "a.pkl") == "os.system"


_RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
_STATE = b"}U\x08functionK\x01s"


@pytest.mark.parametrize(
    "opcodes",
    [
        _RECONSTRUCT + _STATE + b"b",  # attributes into a function
        _RECONSTRUCT + b"N" + _STATE + b"\x86b",  # slots into a function
        b"cnumpy\nndarray\n" + _STATE + b"b",  # attributes into a class
        b"cnumpy\nndarray\nN" + _STATE + b"\x86b",
        b"c__builtin__\nset\nN" + _STATE + b"\x86b",
        b"c__builtin__\nset\n" + _STATE + b"b",
        b"c__builtin__\nobject\n" + _STATE + b"b",
        b"c__builtin__\nobject\n)R",
        b"cnumpy\nndarray\n)R(K\x01K\x02\x85U\x02f8\x89U\x10" + bytes(16) + b"tb",  # a type that is a text
        b"cnumpy\nndarray\n)\x81",  # an array without content
        b"cnumpy\ndtype\n)\x81",
        b"cnumpy\ndtype\nU\x02f8\x85R(K\x03U\x01?NNNtb",  # no such byte order
        _RECONSTRUCT + b"c__builtin__\nset\nK\x00\x85U\x01b\x87R",  # another class than ndarray
        b"ccopy_reg\n_reconstructor\ncnumpy\nndarray\nc__builtin__\nobject\nN\x87R",
        b"c_codecs\nencode\nU\x01aU\x05rot13\x86R",
        b"c__builtin__\nbytes\nJ\xff\xff\xff\x7f\x85R",
        b"cchumpy.ch\nCh\n)\x81q\x00}U\x01xh\x00sb",  # holds itself
        b"cchumpy.ch\nCh\n)\x81}U\x01xU\x04texts" + b"b",
        b"cchumpy.reordering\nSelect\n)\x81}b",
        b"cscipy.sparse.csc\ncsc_matrix\n)\x81}b",
    ],
)
def test_allowed_names_in_unforeseen_use_are_corrupt(tmp_path: Path, opcodes: bytes) -> None:
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02}U\x0av_template" + opcodes + b"s.")
    with pytest.raises(WeightsCorrupt):
        load_pickled_arrays(tmp_path / "a.pkl")
    # Nothing of the reader was changed for the next file.
    content = file_content(body_of("smpl"))
    np.testing.assert_array_equal(load_pickled_arrays(write(tmp_path / "b.pkl", content))["J"], content["J"])


@pytest.mark.parametrize(
    ("indices", "indptr"),
    [([10**6], [0, 1, 1]), ([-1], [0, 1, 1]), ([0], [0, 10**6, 1]), ([0], [0, 1]), ([0], [5, 1, 1])],
)
def test_sparse_matrices_that_point_outside_are_corrupt(tmp_path: Path, indices: list[int], indptr: list[int]) -> None:
    matrix = sparse.csc_matrix(np.eye(2))
    matrix.data, matrix.indices, matrix.indptr = np.ones(1), np.array(indices), np.array(indptr)
    with pytest.raises(WeightsCorrupt):
        load_pickled_arrays(write(tmp_path / "a.pkl", {"J_regressor": matrix}))


def test_objects_are_never_made_of_bytes(tmp_path: Path) -> None:
    """A type with objects whose data is bytes would make numpy follow these as addresses."""
    typed = b"cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    fields = b"cnumpy\ndtype\nU\x02V8\x85R(K\x03U\x01|NU\x01f\x85}U\x01f" + typed + b"K\x00\x86sK\x08K\x01K\x00tb"
    for dtype in (typed, fields):
        array = _RECONSTRUCT + b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x01\x85" + dtype + b"\x89U\x08AAAAAAAAtb"
        (tmp_path / "a.pkl").write_bytes(b"\x80\x02}U\x0av_template" + array + b"s.")
        assert load_pickled_arrays(tmp_path / "a.pkl") == {"v_template": None}


def test_pickled_entries_of_an_npz_are_never_opened(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    content = dense(file_content(body_of("smpl")))
    harm = np.array([Calls(open, str(trace), "w")], dtype=object)
    np.savez(tmp_path / "a.npz", **(content | {"other": harm}))
    load_smpl(tmp_path / "a.npz", synthetic_body(7))
    np.savez(tmp_path / "b.npz", **(content | {"v_template": harm}))
    with pytest.raises(BodyInvalid, match="objects"):
        load_smpl(tmp_path / "b.npz", synthetic_body(7))
    assert not trace.exists()


# --- the smplx package -------------------------------------------------------------------------------------------


def smplx_extras(kind: str) -> dict[str, np.ndarray]:
    """What the package asks of files with fingers and faces, besides the body."""
    hands = {f"hands_components{side}": np.eye(45) for side in "lr"}
    hands |= {f"hands_mean{side}": np.full(45, 0.1) for side in "lr"}
    face = {"lmk_faces_idx": np.zeros(51, np.int64), "lmk_bary_coords": np.full((51, 3), 1 / 3)}
    return {"smpl": {}, "smplh": hands, "smplx": hands | face}[kind]


@pytest.mark.parametrize(("kind", "vertex_count"), [("smpl", 6890), ("smplh", 6890), ("smplx", 10475)])
def test_our_skinning_equals_the_smplx_package(tmp_path: Path, kind: Any, vertex_count: int) -> None:
    pytest.importorskip("smplx", reason="the package smplx, of another licence, is not installed")
    body = body_of(kind)
    content = file_content(body, vertex_count) | smplx_extras(kind)
    if kind == "smplx":
        content["shapedirs"] = np.concatenate([content["shapedirs"], np.ones_like(content["shapedirs"])], -1)
    path = write(tmp_path / "a.pkl", content)
    pose, betas = 0.5 * torch.randn(2, body.joint_count, 3), torch.randn(2, 10)
    vertices, joints = smplx_forward(path, kind, pose, betas)
    output = load_smpl(path, synthetic_body(7)).pose(pose, betas)
    torch.testing.assert_close(output.vertices, vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(output.joints, joints, atol=1e-5, rtol=0)


def test_the_smplx_package_gets_no_unsafe_pickle(tmp_path: Path) -> None:
    pytest.importorskip("smplx", reason="the package smplx, of another licence, is not installed")
    path = write(tmp_path / "a.pkl", {"v_template": Calls(eval, "1")})
    with pytest.raises(UnsafePickle):
        smplx_forward(path, "smpl", torch.zeros(1, 24, 3), torch.zeros(1, 10))


def test_without_the_smplx_package_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smplx", None)
    path = write(tmp_path / "a.pkl", file_content(body_of("smpl")))
    with pytest.raises(WeightsMissing) as caught:
        smplx_forward(path, "smpl", torch.zeros(1, 24, 3), torch.zeros(1, 10))
    assert "pip install smplx" in caught.value.hint
    assert load_smpl(path, synthetic_body(7)).joint_count == 24


# --- landmarks on another topology -------------------------------------------------------------------------------


@pytest.mark.parametrize("betas", [[0.0] * 10, [1.5, -1.5, *[1.0] * 8], [-2.0, 2, -1, 1, -1, 1, 0, 0, 0, 0]])
def test_landmarks_find_their_place_on_a_decimated_body_of_another_shape(betas: list[float]) -> None:
    reference = load_default_body()
    shaped = with_shape(reference, torch.tensor(betas))
    order = torch.randperm(shaped.vertex_count, generator=torch.Generator().manual_seed(0))
    other = with_vertices(shaped, order[: shaped.vertex_count // 2])
    found = landmark_regressor_from_geometry(other, reference)
    assert found.matrix.sum(1) == pytest.approx(1, abs=1e-4)
    error = (found(other.template) - reference.landmarks(shaped.template)).norm(dim=-1)
    assert error.mean() < 0.004
    assert error.max() < 0.012


def test_the_rest_pose_follows_other_bone_lengths_and_directions() -> None:
    reference = synthetic_body(2)
    pose = torch.zeros(1, 24, 3)
    pose[0, 16, 2] = 0.2  # the left arm raised a little
    posed = reference.pose(pose, torch.zeros(1, 10)).vertices[0]
    other = with_shape(reference, torch.tensor([2.0, *[0.0] * 9]))
    torch.testing.assert_close(onto_rest_pose(reference, other), other.template, atol=1e-3, rtol=0)
    elbow = reference.joint_regressor(onto_rest_pose(reference, replace(reference, template=posed)))[18]
    torch.testing.assert_close(elbow, reference.joint_regressor(posed)[18], atol=0.01, rtol=0)


@pytest.mark.parametrize("joint_count", [52, 55])
def test_fingers_go_with_their_hand(joint_count: int) -> None:
    reference = synthetic_body(2)
    regressor = transfer_regressor(reference.landmark_regressor, reference, with_fingers(reference, joint_count))
    torch.testing.assert_close(
        regressor(reference.template), reference.landmarks(reference.template), atol=1e-4, rtol=0
    )


def test_a_reference_without_landmarks_is_named() -> None:
    body = synthetic_body()
    bare = with_vertices(body, torch.arange(body.vertex_count))
    with pytest.raises(BodyInvalid, match="landmark_regressor"):
        landmark_regressor_from_geometry(body, bare)


def test_a_limb_without_vertices_is_named() -> None:
    body = synthetic_body()
    headless = with_vertices(body, (body.weights[:, 15] < 0.4).nonzero()[:, 0])
    with pytest.raises(BodyInvalid, match="head"):
        landmark_regressor_from_geometry(headless, body)
