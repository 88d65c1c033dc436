"""What the server can do: method name → function. Each imports what it needs when it runs, torch above all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .edit_jobs import correct, effects, preview, recalibrate
from .job_params import Context, read_params
from .progress import Meter

if TYPE_CHECKING:
    from .solve_preset import SolvePreset

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
    height: float | tuple[float, ...] | None = None
    """Metres; of each of all people by size where there are several; None: the preset's."""
    preset: str = "default"
    """A preset's name, or the path of a .toml file."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the preset, by dotted key."""
    cleanup: str = "default"
    """A clean-up preset's name, or the path of a .toml file; "off": the target is the fitted pose."""
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

    def solve_preset(self) -> tuple[SolvePreset, tuple[float, ...]]:
        """The preset with what the parameters say otherwise, and the height of each where there are several.

        Raises PresetInvalid, BadArgument.
        """
        from .heights import with_heights
        from .presets import load_preset, override

        device = {} if self.device is None else {"device": self.device}
        preset = override(load_preset(self.preset), {**self.settings, **device}, "settings")
        height = () if self.height is None else self.height
        heights = height if isinstance(height, tuple) else (height,)
        return with_heights(preset, heights, str(self.people), "settings")


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
    if_needed: bool = False
    """Write it only where Blender cannot show the clip as it is."""


@dataclass(frozen=True)
class NoParams:
    """Of a method that takes none."""


def reconstruct(params: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Footage → take; goes on where an earlier job stopped. Result: {take: folder}."""
    job = read_params(ReconstructParams, params)
    preset, heights = job.solve_preset()
    from .targets.presets import load_cleanup
    from .video import probe

    cleanup = load_cleanup(job.cleanup)
    probe(job.clip, job.fps)  # a wrong path is told before the networks' library takes its seconds
    loading = Meter(context.report, context.cancelled)
    loading.stage("load", 0, 1)
    from .pipeline import ReconstructSettings
    from .pipeline import reconstruct as run

    loading.stage("load", 1, 1)
    settings = ReconstructSettings(
        clip=job.clip, out=job.out, preset=preset, cleanup=cleanup, people=str(job.people), heights=heights,
        start=job.start, end=job.end, step=job.step, fps=job.fps, overwrite=job.overwrite,
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
    """The footage upright and at a constant rate, for Blender.

    Result: `ProxyInfo`'s fields, paths as text; {path: None} where none was needed.
    """
    job = read_params(FootageProxyParams, params)
    from .footage_proxy import make_proxy, needs_proxy
    from .video import probe

    if job.if_needed and needs_proxy(probe(job.clip, job.fps)) is None:
        return {"path": None}
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
    method.__name__: method
    for method in (reconstruct, render, footage_proxy, recalibrate, effects, preview, correct, models, devices)
}
"""Every job by its method's name."""
