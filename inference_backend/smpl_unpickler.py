"""Reading SMPL's pickles without running what is in them.

A pickle names functions and classes and has them called, so an ordinary load runs whatever its writer wished. Here a
closed table maps the few names that body files use to inert stand-ins: they hold bytes, shapes and types, and the
arrays are made from those afterwards. Not even numpy and scipy see the pickle's own state, since a crafted dtype or a
sparse matrix with indices out of range reaches their C code. chumpy is not needed.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import IO, Any, Final

from inference_backend import pickle_stand_ins as stand_ins
from inference_backend.errors import UnsafePickle, WeightsCorrupt, WeightsMissing

_NUMPY = ("numpy.core.", "numpy._core.")
_ALLOWED: Final[dict[tuple[str, str], Any]] = {
    ("numpy", "ndarray"): stand_ins.Array,
    ("numpy", "dtype"): stand_ins.DType,
    **{(f"{numpy}multiarray", "_reconstruct"): stand_ins.Function(stand_ins.reconstruct) for numpy in _NUMPY},
    **{(f"{numpy}multiarray", "scalar"): stand_ins.Function(stand_ins.scalar) for numpy in _NUMPY},
    **{(f"{numpy}numeric", "_frombuffer"): stand_ins.Function(stand_ins.from_buffer) for numpy in _NUMPY},
    **{(f"scipy.sparse.{module}", "csc_matrix"): stand_ins.SparseCsc for module in ("csc", "_csc")},
    **{(f"scipy.sparse.{module}", "csr_matrix"): stand_ins.SparseCsr for module in ("csr", "_csr")},
    ("chumpy.ch", "Ch"): stand_ins.Chumpy,
    ("chumpy.reordering", "Select"): stand_ins.ChumpySelect,
    ("_codecs", "encode"): stand_ins.Function(stand_ins.encode),
    **{(module, "_reconstructor"): stand_ins.Function(stand_ins.new_object) for module in ("copy_reg", "copyreg")},
    **{(module, "object"): stand_ins.OBJECT for module in ("__builtin__", "builtins")},
    **{(module, "bytes"): stand_ins.Function(stand_ins.no_bytes) for module in ("__builtin__", "builtins")},
    **{(module, "set"): set for module in ("__builtin__", "builtins")},
}
"""Every name a pickle may use, old and new, and what it gets for it."""

_MALFORMED = (
    pickle.UnpicklingError, EOFError, TypeError, ValueError, LookupError, AttributeError, OverflowError,
    RecursionError, MemoryError,
)  # fmt: skip
"""What reading a damaged pickle, or making arrays out of one, raises."""


def load_pickled_arrays(path: Path) -> dict[str, Any]:
    """The dictionary in a body file's pickle, of Python 2 or 3 and any protocol.

    Numpy and chumpy arrays come as arrays, scipy.sparse matrices as such with their indices checked, numbers and
    text as they are; None stands for what is none of these (arrays of Python objects). Raises WeightsMissing,
    WeightsCorrupt (no pickle of a dictionary), or UnsafePickle, naming the first forbidden function or class.
    """
    if not path.is_file():
        raise WeightsMissing(f"no body file at {path}", hint="give the path of your model file", path=str(path))
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, path).load()
        if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
            raise ValueError("its content is no dictionary of names")
        return {key: value.value() if isinstance(value, stand_ins.Inert) else value for key, value in content.items()}
    except _MALFORMED as error:
        raise WeightsCorrupt(
            f"{path.name} is no readable body file: {error}",
            hint="the file is damaged or of another kind; download it again from its authors",
            path=str(path),
        ) from error


class _ArrayUnpickler(pickle.Unpickler):
    """Resolves the names of `_ALLOWED` only. Text of Python 2 is read as Latin-1, which keeps every byte."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise self._refusal(module, name)
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise self._refusal("persistent", "id")

    def _refusal(self, module: str, name: str) -> UnsafePickle:
        return UnsafePickle(
            f"{self._path.name} asks for {module}.{name}, which a body file has no use for; nothing of it was run",
            hint="do not open this file with other programs; download the model again from its authors, or convert a "
            "copy you trust to .npz",
            module=module,
            name=name,
            path=str(self._path),
        )
