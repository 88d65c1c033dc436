# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an import takes long and needs no Blender: it may run in a thread, and is then applied to the scene."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import cache_hashes, pc2
from .compress import Correctives, compress
from .form_costs import Form
from .inverse_skinning import Skin, deform_transforms
from .posed_clip import PosedClip
from .skeleton import BonePose, RestBones, free_pose, rest_bones, skeleton_pose
from .takes import PersonView, Topology

_NEW: Final = ".new"
_UNSAFE: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_LONGEST_NAME: Final = 60


@dataclass(frozen=True, eq=False)
class PreparedForm:
    """A body's animation in a form, as far as it can be made before."""

    form: Form
    correctives: Correctives | None = None
    """Of the compressed form."""
    cache: Path | None = None
    """Of the mesh cache: where its file goes."""
    hashes: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    """(F,) of the mesh cache: what its rows were made from."""

    def put_cache(self) -> None:
        """Give the mesh cache that was written its name. Raises OutputNotWritable."""
        if self.cache is not None:
            cache_hashes.forget(self.cache)
            pc2.put(_written(self.cache), self.cache)
            cache_hashes.write(self.cache, self.hashes)


@dataclass(frozen=True, eq=False)
class PreparedPerson:
    """A person's curves and body."""

    person: PersonView
    rest: RestBones
    bones: BonePose
    """The skeleton's motion."""
    base: BonePose | None
    """The base pose, which the targets' base bones show; None where there are no targets."""
    body: PreparedForm


def prepare_person(
    person: PersonView,
    topology: Topology,
    form: Form,
    *,
    targets: bool,
    tolerance_mm: float,
    cache: Path,
    tick: Callable[[int, int], None],
) -> PreparedPerson:
    """Read a person and make what `prepare_form` makes, for a body that follows the bones as the take's does.

    Raises what `prepare_form` raises.
    """
    rest = rest_bones(person.rest_joints)
    bones = skeleton_pose(rest, person.rotations, person.joints)
    base = free_pose(rest, person.rotations_base, person.joints_base) if targets else None
    skin = Skin.from_influences(person.rest_vertices, topology.skin_joints, topology.skin_weights)
    body = prepare_form(person, form, skin.weights, tolerance_mm=tolerance_mm, cache=cache, tick=tick)
    return PreparedPerson(person, rest, bones, base, body)


def prepare_form(
    person: PersonView,
    form: Form,
    weights: NDArray[np.float32] | None,
    *,
    tolerance_mm: float,
    cache: Path,
    tick: Callable[[int, int], None],
) -> PreparedForm:
    """Compress the body, or write its mesh cache; absolute keys are made as they are read.

    Args:
        person: whose meshes.
        form: the one that is wanted.
        weights: (24, N) how the body follows the bones, columns sum to 1; for the compressed form.
        tolerance_mm: the compressed form's maximum error.
        cache: where a mesh cache goes: its name holds the old file until `PreparedForm.put_cache`.
        tick: told steps done and their number; what it raises ends the work and leaves no trace.

    Raises:
        BadArgument: a tolerance that cannot be kept.
        DiskFull, OutputNotWritable: the mesh cache cannot be written.
    """
    if form is Form.PC2:
        hashes = person.row_hashes  # as they are before the rows are read
        pc2.write(_written(cache), len(person.rest_vertices), len(person.seconds), person.vertices, tick)
        return PreparedForm(form, cache=cache, hashes=hashes)
    if form is Form.COMPRESSED:
        assert weights is not None
        rest = rest_bones(person.rest_joints)
        transforms = deform_transforms(rest, skeleton_pose(rest, person.rotations, person.joints))
        skin = Skin(np.ascontiguousarray(person.rest_vertices.T, np.float32), weights)
        return PreparedForm(form, compress(PosedClip(person.vertices, skin, transforms), tolerance_mm, tick))
    return PreparedForm(form)


def cache_path(folder: Path, body_name: str, person: PersonView) -> Path:
    """Where the cache of a body lies in a folder: the same file whenever it is written again for the same person.

    Other people's and other takes' bodies have other files there, also those of the same name.
    """
    key = hashlib.blake2b(digest_size=4)
    for array in (person.frames, person.seconds, person.rest_vertices):
        key.update(np.ascontiguousarray(array).tobytes())
    name = _UNSAFE.sub("_", body_name)[:_LONGEST_NAME].rstrip(" .")
    return folder / f"{name} {key.hexdigest()}{pc2.SUFFIX}"


def discard(caches: Iterable[Path]) -> None:
    """Remove what was written of caches that have not got their names; the files that have them stay."""
    for cache in caches:
        _written(cache).unlink(missing_ok=True)


def _written(cache: Path) -> Path:
    """The file of a cache that has not got its name yet."""
    return cache.with_name(cache.name + _NEW)
