"""Rows of a compressed body made again: within the tolerance, by the keys that are there where they are enough."""

from __future__ import annotations

import numpy as np

from pchmr.pchmr_blender.core.compress import Correctives, compress
from pchmr.pchmr_blender.core.posed_clip import PosedClip
from pchmr.pchmr_blender.core.recompress import recompress

from ..people import MadeUpPerson
from .test_compress import body, bulges, clip_of, gentle, posed, quiet

FRAMES, TOLERANCE = 40, 1.0
SKIN = body()
TRANSFORMS = gentle(MadeUpPerson(FRAMES))


def compressed(offsets: np.ndarray) -> Correctives:
    return compress(clip_of(SKIN, TRANSFORMS, posed(SKIN, TRANSFORMS, offsets)), TOLERANCE, quiet)


def keys_of(found: Correctives) -> tuple[np.ndarray, np.ndarray]:
    """Rows (K, 3N), and what each keeps in all frames, or NaN."""
    rows = found.offsets.transpose(0, 2, 1).reshape(-1, 3 * SKIN.rest.shape[1])
    still = (found.values == found.values[:1]).all(0)
    return np.ascontiguousarray(rows), np.where(still, found.values[0], np.nan).astype(np.float32)


def worst(clip: PosedClip, keys: np.ndarray, found: object) -> float:
    added = found.added.offsets.transpose(0, 2, 1).reshape(-1, keys.shape[1])
    batch = clip.read(0, clip.frames)
    return float(batch.distances(found.values @ keys + found.added.values @ added).max())


def test_rows_that_the_keys_can_make_get_no_more() -> None:
    offsets = bulges(FRAMES)
    keys, steady = keys_of(compressed(offsets))
    rows = slice(10, 20)
    swapped = 0.5 * (offsets[5:15] + offsets[20:30])
    clip = clip_of(SKIN, TRANSFORMS[rows], posed(SKIN, TRANSFORMS[rows], swapped))
    found = recompress(clip, keys, steady, TOLERANCE, quiet)
    assert worst(clip, keys, found) <= TOLERANCE / 1000
    assert len(found.added.offsets) == 0
    assert found.values.min() >= 0
    assert found.values.max() <= 1


def test_what_the_keys_lack_gets_keys_of_its_own() -> None:
    keys, steady = keys_of(compressed(bulges(FRAMES)))
    rows = slice(10, 20)
    other = bulges(FRAMES, kinds=2, size=0.03, seed=11)[rows]
    clip = clip_of(SKIN, TRANSFORMS[rows], posed(SKIN, TRANSFORMS[rows], other))
    found = recompress(clip, keys, steady, TOLERANCE, quiet)
    assert worst(clip, keys, found) <= TOLERANCE / 1000
    assert 0 < len(found.added.offsets) < 10
    for values in (found.values, found.added.values):
        assert values.min() >= 0
        assert values.max() <= 1
    kept = ~np.isnan(steady)
    assert (found.values[:, kept] == steady[kept]).all()


def test_a_body_without_keys() -> None:
    clip = clip_of(SKIN, TRANSFORMS[:5], posed(SKIN, TRANSFORMS[:5], bulges(FRAMES)[:5]))
    none = np.zeros((0, 3 * clip.vertex_count), np.float32)
    found = recompress(clip, none, np.zeros(0, np.float32), TOLERANCE, quiet)
    assert found.values.shape == (5, 0)
    assert worst(clip, none, found) <= TOLERANCE / 1000
