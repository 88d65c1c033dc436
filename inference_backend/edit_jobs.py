"""The server's jobs of the edit loop: a frame while a joint is dragged, and rows of a take made again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import BadArgument
from .job_params import Context, read_params

if TYPE_CHECKING:
    from .recalibrate import Wanted
    from .targets.edits import Drag


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
    """The row's edits before the drag: `Edits`' fields as lists without the row; what is not named is no edit."""
    drag: Mapping[str, Any] | None = None
    """`Drag`'s fields."""


def recalibrate(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Make a person's rows agree with layers and edits. Result: {spans: [[start, stop)…], layers: what each does}."""
    job = read_params(RecalibrateParams, params)
    from .recalibrate import recalibrate as run

    done = run(job.take, job.person, wanted(job.layers, job.edits), context.report, context.cancelled)
    return {"spans": [list(span) for span in done.spans], "layers": [asdict(report) for report in done.reports]}


def preview(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """The mesh of one row, edited. Result: {edits: after the drag, as in the parameters, joints: (24, 3) world}."""
    job = read_params(PreviewParams, params)
    from .disk import write_at
    from .live import edits_from, live_edit

    if job.half not in (0, 1):
        raise BadArgument(f"half: found {job.half}", hint="There are 0 and 1.")
    edits = edits_from({name: [value] for name, value in job.edits.items()}, 1)
    frame = live_edit(job.take, job.person, _layers(job.layers)).frame(job.row, edits, _drag(job.drag))
    write_at(job.out, job.half * frame.vertices.nbytes, frame.vertices.tobytes(), flush=False)
    made = {one.name: getattr(frame.edits, one.name)[0].tolist() for one in fields(frame.edits)}
    return {"edits": made, "joints": frame.joints.tolist()}


def wanted(layers: Mapping[str, Any], edits: Path | None) -> Wanted:
    """What rows are to be made from. Raises BadArgument for a file that holds something else."""
    import numpy as np

    from .live import edits_from
    from .recalibrate import Wanted

    if edits is None:
        return Wanted.unedited(_layers(layers))
    try:
        with np.load(edits, allow_pickle=False) as file:
            arrays = dict(file)
        rows = np.asarray(arrays.pop("rows"), np.int64).reshape(-1)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise BadArgument(f"{edits}: {error}", hint="Give an .npz of rows and edits.", path=str(edits)) from error
    return Wanted(_layers(layers), rows, edits_from(arrays, len(rows)))


def _layers(values: Mapping[str, Any]) -> Any:
    from .targets.parameters import read_layers

    return read_layers(values)


def _drag(values: Mapping[str, Any] | None) -> Drag | None:
    """From the wire. Raises BadArgument."""
    from .targets.edits import Drag

    if values is None:
        return None
    try:
        return Drag(**{**values, "pins": tuple(values.get("pins", ()))})
    except (TypeError, ValueError) as error:
        raise BadArgument(f"drag: {error}", hint="Correct it.") from error
