"""Inert stand-ins for what a body file's pickle may build: they keep bytes, shapes and types, and run nothing.

The arrays are made from them after the pickle has been read, so neither numpy nor scipy sees its state unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

OBJECT: Final = "object"
"""Stands for the class object, which protocols 0 and 1 name as a base."""


class Inert:
    """Something a pickle may build. Always has __setstate__, so that no state is written into attributes unseen."""

    def __setstate__(self, state: Any) -> None:
        raise TypeError(f"unexpected state of {type(self).__name__}")

    def value(self) -> Any:
        """What it stands for."""
        raise TypeError(f"{type(self).__name__} is no array")


class Function(Inert):
    """A function a pickle may call; an object of ours, so that it cannot write into the function itself."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)


class DType(Inert):
    """numpy.dtype of numbers, truth values or text; `name` is None where it has objects or fields."""

    def __init__(self, code: str, *_flags: Any) -> None:
        self._code = code if re.fullmatch(r"[biufSU]\d{1,4}", code) else None
        self._order = "|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, order, *structure = state
        if order not in ("<", ">", "|", "="):
            raise ValueError("a type of unknown byte order")
        self._order = order
        if any(part is not None for part in structure[:3]):
            self._code = None

    @property
    def name(self) -> str | None:
        return self._code and self._order + self._code


class Array(Inert):
    """numpy.ndarray, from the state that numpy pickles: (version, shape, dtype, Fortran order, data)."""

    _state: tuple[Any, DType, Any, Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, dtype, fortran, data = state[-4:]
        if not isinstance(dtype, DType):
            raise TypeError("an array without a type")
        self._state = shape, dtype, fortran, data

    def value(self) -> NDArray[Any] | None:
        if self._state is None:
            raise ValueError("an array without content")
        shape, dtype, fortran, data = self._state
        if dtype.name is None:
            return None
        raw = data.encode("latin1") if isinstance(data, str) else data
        if not isinstance(raw, bytes | bytearray):
            raise TypeError("an array whose content is no bytes")
        flat = np.frombuffer(raw, np.dtype(dtype.name))
        sizes = tuple(_integer(size) for size in shape)
        order: Any = "F" if fortran else "C"
        native: NDArray[Any] = np.array(flat.reshape(sizes, order=order), dtype=flat.dtype.newbyteorder("="))
        return native


class Stated(Inert):
    """An object that is pickled as the dictionary of its attributes."""

    _attributes: dict[str, Any] | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not isinstance(state, dict):
            raise TypeError("attributes that are no dictionary")
        self._attributes = state

    def attribute(self, *names: str) -> Any:
        """The first of `names` that is there, made into an array where it stands for one; else None."""
        attributes = self._attributes or {}
        found = next((attributes[name] for name in names if name in attributes), None)
        return found.value() if isinstance(found, Inert) else found

    def array(self, name: str) -> NDArray[Any]:
        """An attribute that must be an array."""
        found = self.attribute(name)
        if not isinstance(found, np.ndarray):
            raise TypeError(f"{name} of {type(self).__name__} is no array")
        return found


class SparseCsc(Stated):
    """scipy.sparse.csc_matrix."""

    _kind: ClassVar[Callable[..., Any]] = sparse.csc_matrix

    def value(self) -> Any:
        shape = tuple(_integer(size) for size in self.attribute("_shape", "shape"))
        parts = tuple(self.array(name) for name in ("data", "indices", "indptr"))
        matrix = type(self)._kind(parts, shape=shape)
        matrix.check_format(full_check=True)
        return matrix


class SparseCsr(SparseCsc):
    """scipy.sparse.csr_matrix."""

    _kind = sparse.csr_matrix


class Chumpy(Stated):
    """chumpy.ch.Ch: an array under a layer of automatic differentiation."""

    def value(self) -> NDArray[Any]:
        return self.array("x")


class ChumpySelect(Stated):
    """chumpy.reordering.Select: chosen elements of another array, in a new shape."""

    def value(self) -> NDArray[Any]:
        chosen: NDArray[Any] = self.array("a").ravel()[self.array("idxs")]
        shape = self.attribute("preferred_shape")
        return chosen if shape is None else chosen.reshape([_integer(size) for size in shape])


def _integer(size: Any) -> int:
    number = size.value() if isinstance(size, Inert) else size
    if int(number) != number or number < 0:
        raise ValueError(f"{number} is no size")
    return int(number)


def reconstruct(kind: Any, _shape: Any, _code: Any) -> Array:
    """numpy's maker of an empty array, which the state then fills."""
    if kind is not Array:
        raise TypeError("an array of unknown class")
    return Array()


def from_buffer(data: Any, dtype: Any, shape: Any, order: str, axis_order: Any = None) -> Array:
    """numpy's maker of an array in protocol 5."""
    if axis_order is not None or order not in ("C", "F"):
        raise ValueError("an array with its axes in an unknown order")
    array = Array()
    array.__setstate__((shape, dtype, order == "F", data))
    return array


def scalar(dtype: Any, data: Any) -> Array:
    """numpy's maker of a single number."""
    array = Array()
    array.__setstate__(((), dtype, False, data))
    return array


def new_object(kind: Any, base: Any, state: Any) -> Inert:
    """copyreg._reconstructor, the maker of objects in protocols 0 and 1."""
    if base != OBJECT or state is not None or not (isinstance(kind, type) and issubclass(kind, Stated)):
        raise TypeError("an object of unknown class")
    return kind()


def encode(text: str, codec: str = "latin1") -> bytes:
    """How Python 3 writes bytes in protocols 0 to 2; no other codec has a place here."""
    if codec not in ("latin1", "latin-1"):
        raise ValueError(f"bytes written as {codec}")
    return text.encode("latin1")


def no_bytes() -> bytes:
    """How Python 3 writes empty bytes in protocols 0 to 2."""
    return b""
