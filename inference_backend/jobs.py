"""What the server can do: method name → function. Each imports what it needs when it runs, torch above all."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from .errors import BadArgument
from .progress import Meter, Progress

if TYPE_CHECKING:
    from .solve_preset import SolvePreset

T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """How a job speaks with whoever asked for it."""

    report: Callable[[Progress], None]
    """Gets the progress."""
    cancelled: Callable[[], bool]
    """Whether to stop; to be asked at every step, as `Meter` does."""


Method: TypeAlias = Callable[[Mapping[str, Any], Context], Mapping[str, Any]]
"""Parameters as they came over the wire, and the context → result as plain values."""


@dataclass(frozen=True)
class ReconstructParams:
    """Parameters of `reconstruct`, which mean what the options of the command line mean."""

    clip: Path
    """Movie, folder of images or pattern of image names."""
    out: Path
    """The take's folder."""
    people: str | int = "largest"
    """"largest", "all", or a person's place by size."""
    height: float | None = None
    """Metres; None: the preset's."""
    preset: str = "default"
    """A preset's name, or the path of a .toml file."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the preset, by dotted key."""
    start: int = 0
    """First frame."""
    end: int | None = None
    """Frame after the last; None: to the end."""
    step: int = 1
    """Every step-th frame."""
    fps: float | None = None
    """Rate of an image sequence, or the true rate of slow motion; None: the file's."""
    overwrite: bool = False
    """Delete the take that is there."""
    device: str | None = None
    """auto, cpu, cuda or mps; None: the preset's."""

    def solve_preset(self) -> SolvePreset:
        """The preset with what the parameters say otherwise. Raises PresetInvalid."""
        from .presets import load_preset, override

        given = {"height": self.height, "device": self.device}
        values = {**self.settings, **{key: value for key, value in given.items() if value is not None}}
        return override(load_preset(self.preset), values, "settings")


@dataclass(frozen=True)
class RenderParams:
    """Parameters of `render`."""

    take: Path
    """The take's folder."""
    out: Path
    """The mp4 file."""
    views: tuple[str, ...] = ("camera", "front", "side")
    """From left to right."""
    clip: Path | None = None
    """The footage, where it has been moved."""


@dataclass(frozen=True)
class FootageProxyParams:
    """Parameters of `footage_proxy`."""

    clip: Path
    """Movie, folder of images or pattern of image names."""
    out: Path
    """The movie to write."""
    fps: float | None = None
    """As in `reconstruct`."""


@dataclass(frozen=True)
class NoParams:
    """Of a method that takes none."""


def reconstruct(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Footage → take; goes on where an earlier job stopped. Result: {take: folder}."""
    job = read_params(ReconstructParams, params)
    preset = job.solve_preset()
    from .video import probe

    probe(job.clip, job.fps)  # a wrong path is told before the networks' library takes its seconds
    loading = Meter(context.report, context.cancelled)
    loading.stage("load", 0, 1)
    from .pipeline import ReconstructSettings
    from .pipeline import reconstruct as run

    loading.stage("load", 1, 1)
    settings = ReconstructSettings(
        clip=job.clip, out=job.out, preset=preset, people=str(job.people), start=job.start, end=job.end,
        step=job.step, fps=job.fps, overwrite=job.overwrite,
    )  # fmt: skip
    return {"take": str(run(settings, context.report, context.cancelled))}


def render(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """A movie of a take. Result: {path: movie}."""
    job = read_params(RenderParams, params)
    from .take import open_take

    take = open_take(job.take)
    from .render import render_take

    report, cancelled = context.report, context.cancelled
    return {"path": str(render_take(take, job.out, job.views, clip=job.clip, report=report, cancelled=cancelled))}


def footage_proxy(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """The footage upright and at a constant rate, for Blender. Result: `ProxyInfo`'s fields, paths as text."""
    job = read_params(FootageProxyParams, params)
    from .footage_proxy import make_proxy

    info = make_proxy(job.clip, job.out, job.fps, context.report, context.cancelled)
    return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(info).items()}


def models(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """The model files. Result: {folder, models: [the fields of `cli.models.ModelState`]}."""
    read_params(NoParams, params)
    from .cli.models import model_states
    from .weights import models_folder

    return {"folder": str(models_folder()), "models": [asdict(state) for state in model_states()]}


def devices(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Where networks can run here. Result: {devices: the fastest first, torch: its version}."""
    read_params(NoParams, params)
    import torch

    from .devices import available

    return {"devices": list(available()), "torch": torch.__version__}


METHODS: Final[Mapping[str, Method]] = {
    method.__name__: method for method in (reconstruct, render, footage_proxy, models, devices)
}
"""Every job by its method's name."""


def read_params(kind: type[T], params: Mapping[str, Any]) -> T:
    """Parameters from the wire as a dataclass. Raises BadArgument for what is missing, unknown or of another type.

    Paths must be absolute: the server runs in another folder than its client.
    """
    hints = typing.get_type_hints(kind)
    known = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    for name in params:
        if name not in known:
            raise BadArgument(f"no parameter {name}", hint=f"Parameters: {', '.join(known) or 'none'}.", name=name)
    values = {}
    for name, entry in known.items():
        if name in params:
            values[name] = _value(name, hints[name], params[name])
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise BadArgument(f"the parameter {name} is missing", hint="Give it.", name=name)
    return kind(**values)


def _value(name: str, hint: Any, value: object) -> Any:
    """A parameter's value in its own type."""
    allowed = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for one in allowed:
        if one is Path and isinstance(value, str) and Path(value).is_absolute():
            return Path(value)
        if one is float and type(value) in (int, float):
            return float(value)  # type: ignore[arg-type]
        if one in (int, str, bool, types.NoneType) and type(value) is one:
            return value
        if typing.get_origin(one) is Mapping and isinstance(value, Mapping):
            return value
        if typing.get_origin(one) is tuple and isinstance(value, list) and all(type(v) is str for v in value):
            return tuple(value)
    wanted = " or ".join("an absolute path" if one is Path else getattr(one, "__name__", str(one)) for one in allowed)
    raise BadArgument(f"{name}: {value!r} is not {wanted}", hint="Correct the value.", name=name)
