"""The server's jobs of the edit loop: a frame while a joint is dragged, rows made again, detections put right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .errors import BadArgument
from .job_params import Context, read_params

if TYPE_CHECKING:
    from .recalibrate import Recalibrated, Wanted
    from .targets.edits import Drag
    from .targets.stack import Stacked


@dataclass(frozen=True)
class RecalibrateParams:
    """Parameters of `recalibrate`."""

    take: Path
    """The take's folder."""
    person: int = 0
    """Index in the take."""
    layers: Mapping[str, Any] = field(default_factory=dict)
    """The target stack's parameters, nested: `targets.parameters`."""
    edits: Path | None = None
    """A .npz of `rows` (n,), increasing, and of `targets.edits.Edits`' arrays for them; None: nothing is edited."""


@dataclass(frozen=True)
class PreviewParams:
    """Parameters of `preview`."""

    take: Path
    """The take's folder."""
    row: int
    """Which of its rows."""
    out: Path
    """File that is there, of two meshes' size: the mesh is written into one half, as (N, 3) float32 in the world."""
    half: int
    """0 or 1; not the one that is being read."""
    person: int = 0
    """Index in the take."""
    layers: Mapping[str, Any] = field(default_factory=dict)
    """As in `recalibrate`."""
    edits: Mapping[str, Any] = field(default_factory=dict)
    """The row's edits before the drags: `Edits`' fields as lists without the row; what is not named is no edit."""
    drags: tuple[Mapping[str, Any], ...] = ()
    """`Drag`'s fields, of one drag after the other."""


@dataclass(frozen=True)
class CorrectParams:
    """Parameters of `correct`."""

    take: Path
    """The take's folder."""
    out: Path
    """File to write: a .npz as `recalibrate` takes it."""
    corrections: tuple[Mapping[str, Any], ...]
    """`corrections.Correction`'s fields: where landmarks are in rows of the take, pixels of the upright picture."""
    person: int = 0
    """Index in the take."""
    layers: Mapping[str, Any] = field(default_factory=dict)
    """As in `recalibrate`."""


@dataclass(frozen=True)
class EffectsParams:
    """Parameters of `effects`."""

    take: Path
    """The take's folder."""
    person: int = 0
    """Index in the take."""
    layers: Mapping[str, Any] = field(default_factory=dict)
    """As in `recalibrate`."""


def recalibrate(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Make a person's rows agree with layers and edits.

    Result: {spans: [[start, stop)…], layers: what each does, strips: when feet stand}.
    """
    job = read_params(RecalibrateParams, params)
    from .recalibrate import recalibrate as run

    done = run(job.take, job.person, wanted(job.layers, job.edits), context.report, context.cancelled)
    return {"spans": [list(span) for span in done.spans], **_plain(done)}


def effects(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """What layers would do to a person; the take stays as it is. Result: as of `recalibrate`, without the spans."""
    job = read_params(EffectsParams, params)
    from .recalibrate import open_stack

    return _plain(open_stack(job.take, job.person).stacked(_layers(job.layers)))


def preview(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """The mesh of one row, edited. Result: {edits: after the drags, as in the parameters, joints: (24, 3) world}."""
    job = read_params(PreviewParams, params)
    from .disk import write_at
    from .live import edits_from, live_edit

    if job.half not in (0, 1):
        raise BadArgument(f"half: found {job.half}", hint="There are 0 and 1.")
    edits = edits_from({name: [value] for name, value in job.edits.items()}, 1)
    frame = live_edit(job.take, job.person, _layers(job.layers)).frame(job.row, edits, tuple(map(_drag, job.drags)))
    write_at(job.out, job.half * frame.vertices.nbytes, frame.vertices.tobytes(), flush=False)
    made = {one.name: getattr(frame.edits, one.name)[0].tolist() for one in fields(frame.edits)}
    return {"edits": made, "joints": frame.joints.tolist()}


def correct(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Edits that corrected 2D detections ask for; the take stays as it is.

    Result: {rows: [[start, stop)…] in the file, joints: those that are edited, keyed: rows that need keys}.
    """
    job = read_params(CorrectParams, params)
    from .corrections import read_corrections

    corrections = read_corrections(job.corrections)
    import numpy as np

    from .disk import writing
    from .recalibrate import spans_of
    from .relift import relift

    found = relift(job.take, job.person, _layers(job.layers), corrections, context.report, context.cancelled)
    arrays = {one.name: getattr(found.edits, one.name) for one in fields(found.edits)}
    with writing(job.out), job.out.open("wb") as file:
        np.savez(file, rows=found.rows, **arrays)
    keyed = found.rows[found.keyed].tolist()
    return {"rows": [list(span) for span in spans_of(found.rows)], "joints": list(found.joints), "keyed": keyed}


def wanted(layers: Mapping[str, Any], edits: Path | None) -> Wanted:
    """What rows are to be made from. Raises BadArgument for a file that holds something else."""
    import numpy as np

    from .live import edits_from
    from .recalibrate import Wanted

    if edits is None:
        return Wanted.unedited(_layers(layers))
    try:
        with edits.open("rb") as file:
            if file.read(16).lstrip(_BLANK)[:1] in (b"[", b"{"):
                raise BadArgument(f"{edits} is JSON, and this takes an .npz of rows and edits", hint=_JSON)
        with np.load(edits, allow_pickle=False) as file:
            arrays = dict(file)
        rows = np.asarray(arrays.pop("rows"), np.int64).reshape(-1)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise BadArgument(f"{edits}: {error}", hint="Give an .npz of rows and edits.", path=str(edits)) from error
    return Wanted(_layers(layers), rows, edits_from(arrays, len(rows)))


_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_JSON: Final = (
    "Edits in JSON become keys of a .blend, and rows of its take: "
    "blender -b --python pchmr_blender/batch.py -- CLIP --out DIR --recalibrate FILE."
)


def _plain(done: Recalibrated | Stacked) -> dict[str, Any]:
    return {
        "layers": [asdict(report) for report in done.reports],
        "strips": [asdict(strip) for strip in done.strips],
    }


def _layers(values: Mapping[str, Any]) -> Any:
    from .targets.parameters import read_layers

    return read_layers(values)


def _drag(values: Mapping[str, Any]) -> Drag:
    """From the wire. Raises BadArgument."""
    from .targets.edits import Drag

    try:
        return Drag(**{**values, "pins": tuple(values.get("pins", ()))})
    except (TypeError, ValueError) as error:
        raise BadArgument(f"drag: {error}", hint="Correct it.") from error
