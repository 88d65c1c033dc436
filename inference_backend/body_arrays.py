"""Checked reading of a body file's arrays: what is missing or misshapen is named, with its key and its file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from inference_backend.errors import BodyInvalid, WeightsCorrupt, WeightsMissing
from inference_backend.skinning import Regressor

Shape = tuple[int | None, ...]
"""A wanted shape; None where any size above 0 will do."""


@dataclass(frozen=True)
class BodyArrays:
    """The content of one body file. Every reader raises BodyInvalid with the key it could not read."""

    path: Path
    """Where it came from, for the messages."""
    content: Mapping[str, Any]
    """Arrays, and scipy.sparse matrices, by key; None for what cannot be read without running it."""

    @classmethod
    def from_npz(cls, path: Path) -> BodyArrays:
        """Read an archive, but none of its pickled entries. Raises WeightsMissing, WeightsCorrupt."""
        if not path.is_file():
            raise WeightsMissing(
                f"no body file at {path}", hint="give the right path, or install the backend again", path=str(path)
            )
        try:
            with np.load(path, allow_pickle=False) as archive:
                content = {key: None if _is_pickled(archive, key) else archive[key] for key in archive.files}
        except (OSError, EOFError, ValueError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
            raise WeightsCorrupt(
                f"{path.name} is no readable body file: {error}",
                hint="the file is damaged or of another kind; install or download it again",
                path=str(path),
            ) from error
        return cls(path, content)

    def invalid(self, key: str, trouble: str) -> BodyInvalid:
        """The error for an array whose content is wrong; `trouble` completes the sentence "key …"."""
        return BodyInvalid(
            f"{key} of {self.path.name} {trouble}",
            hint="use the body file as its authors publish it",
            key=key,
            path=str(self.path),
        )

    def floats(self, key: str, shape: Shape) -> Tensor:
        """A finite array as float32."""
        array = self._array(key, shape)
        if array.dtype.kind not in "fiu":
            raise self.invalid(key, f"has type {array.dtype}, want numbers")
        numbers = array.astype(np.float32)
        if not np.isfinite(numbers).all():
            raise self.invalid(key, "has values that are not finite")
        return torch.from_numpy(numbers)

    def integers(self, key: str, shape: Shape, below: int | None = None) -> Tensor:
        """An array of whole numbers as int64, in [0, `below`) where that is given."""
        array = self._array(key, shape)
        if array.dtype.kind not in "iu":
            raise self.invalid(key, f"has type {array.dtype}, want integers")
        numbers = array.astype(np.int64)
        if below is not None and (numbers.min() < 0 or numbers.max() >= below):
            raise self.invalid(key, f"has values outside 0 to {below - 1}")
        return torch.from_numpy(numbers)

    def regressor(self, prefix: str, points: int, vertices: int) -> Regressor:
        """A CSR matrix (points, vertices) out of `prefix`_data, _indices and _indptr."""
        data = self.floats(f"{prefix}_data", (None,))
        indices = self.integers(f"{prefix}_indices", tuple(data.shape), below=vertices)
        ends = self.integers(f"{prefix}_indptr", (points + 1,), below=len(data) + 1)
        if ends[0] != 0 or ends[-1] != len(data) or (ends.diff() < 0).any():
            raise self.invalid(f"{prefix}_indptr", "does not cut the data into rows")
        rows = sparse.csr_matrix((data.numpy(), indices.numpy(), ends.numpy()), shape=(points, vertices))
        return Regressor.from_dense(torch.from_numpy(rows.toarray()))

    def check_weights(self, key: str, weights: Tensor) -> None:
        """Raise BodyInvalid unless the rows of skinning weights (N, J) are not negative and sum to 1."""
        if (weights < -1e-4).any() or ((weights.sum(1) - 1).abs() > 1e-3).any():
            raise self.invalid(key, "is no skinning: its rows are negative or do not sum to 1")

    def text(self, key: str) -> str:
        """A single string."""
        array = self._array(key, ())
        if array.dtype.kind != "U":
            raise self.invalid(key, "is no text")
        return str(array)

    def _array(self, key: str, shape: Shape) -> NDArray[Any]:
        if key not in self.content:
            raise self.invalid(key, "is missing")
        value = self.content[key]
        if value is None:
            raise self.invalid(key, "holds Python objects, want numbers")
        found = np.shape(value) if not sparse.issparse(value) else value.shape
        fits = len(found) == len(shape) and all(
            size > 0 if want is None else size == want for size, want in zip(found, shape, strict=True)
        )
        if not fits:
            wanted = tuple("any" if want is None else want for want in shape)
            raise self.invalid(key, f"has shape {found}, want {wanted}")
        return value.toarray() if sparse.issparse(value) else np.asarray(value)


def _is_pickled(archive: NpzFile, key: str) -> bool:
    """Whether an entry of an npz holds Python objects, from its header alone."""
    assert archive.zip is not None  # None once closed
    with archive.zip.open(f"{key}.npy") as entry:
        version = npy.read_magic(entry)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        return bool(read_header(entry)[2].hasobject)
