"""Parallel PC-HMR from footage to take, in the order of the paper's figure 2(b).

    footage → 2D pose ─┬→ lifter → fit → trajectory → target pose ─┐        (3D pose stream, section 3.2)
                       └→ mesh generator → HMR mesh ───────────────┴→ calibration → calibrated mesh, skeleton

Estimator, lifter and mesh generator know nothing of each other: this file couples them. Every stage writes into the
take as it goes. A job that was stopped goes on from there: detections and meshes that are kept are not made again; what
is between them takes seconds, and is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import torch

from . import __version__
from .body import load_default_body
from .body_topology import topology
from .camera import Intrinsics, choose_intrinsics
from .detections import DetectionStore
from .devices import choose_device
from .estimation import Estimation, estimate, frames_of, pose_team, processes, wanted
from .estimators.blazepose_team import PoseTeam
from .generators.proxy import Proxy
from .heights import UNTIL_PEOPLE, each, settings_with
from .lifters.videopose3d import VideoPose3D
from .mesh_ahead import MeshesAhead
from .progress import Meter, Progress
from .recalibrate import clean_up
from .scene import Placed, on_one_floor
from .sightings import Sighting, gather
from .solve import Solver
from .solve_preset import SolvePreset
from .stages import (
    find_suspects,
    meshes_from,
    write_calibrated,
    write_fit,
    write_mesh,
    write_shape,
    write_streams,
    write_target,
    write_world,
)
from .take_format import STAGES
from .take_info import JSON_NAME, BodyInfo, PersonInfo, identify
from .take_writer import TakeWriter
from .targets.parameters import Layers, read_layers
from .video import VideoSource, probe
from .weights import REGISTRY, expected_sha256, model_path

AT_ONCE: Final = 2
"""Processes that are started before it is known how long the clip is: every clip but the shortest wants so many."""


def models_of(preset: SolvePreset) -> tuple[str, ...]:
    """The registered models that a solve runs."""
    landmarks = "blazepose_landmarks" if preset.estimator == "blazepose_full" else "blazepose_landmarks_heavy"
    return "blazepose_detector", landmarks, "lifter", "proxy", "calibration"


@dataclass(frozen=True)
class ReconstructSettings:
    """One clip's job."""

    clip: Path
    """Movie file, folder of images, or pattern of image names."""
    out: Path
    """The take's folder."""
    preset: SolvePreset
    """How to solve."""
    cleanup: Layers = field(default_factory=Layers)
    """What is done to the fitted pose; `calibrate` may do otherwise later."""
    people: str = "largest"
    """"largest", "all", or a person's place by size as a number."""
    heights: tuple[float, ...] = ()
    """Metres, of each of all people by size, the largest first; none: the preset's for everyone."""
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


def reconstruct(
    settings: ReconstructSettings, report: Callable[[Progress], None], cancelled: Callable[[], bool] = lambda: False
) -> Path:
    """Footage → take. Returns the take's folder.

    Raises:
        BackendError: every expected failure, by its kind; what was finished is kept.
    """
    source = VideoSource(settings.clip, settings.start, settings.end, settings.step, settings.fps)
    with pose_team(source, settings.preset.estimator) as team:
        most = processes(settings.preset.workers)
        # Where no take is, there is nobody whom they need not look for.
        if most > 1 and (settings.overwrite or not (settings.out / JSON_NAME).exists()):
            team.start(min(most, AT_ONCE))  # they load their networks while the clip is looked at
        return _reconstruct(settings, source, team, report, cancelled)


def _reconstruct(
    settings: ReconstructSettings,
    source: VideoSource,
    team: PoseTeam,
    report: Callable[[Progress], None],
    cancelled: Callable[[], bool],
) -> Path:
    """As `reconstruct`."""
    preset = settings.preset
    info = probe(settings.clip, settings.fps)
    # What can be wrong with the request must be known before an older take is replaced.
    frames_of(source, info)
    people = wanted(settings.people)
    focal = None if isinstance(preset.camera.focal, str) else float(preset.camera.focal)
    intrinsics = choose_intrinsics(info.width, info.height, focal_px=focal, metadata_focal_px=info.focal_length)
    body = load_default_body()
    surface = topology(body)
    asked = {name: getattr(settings, name) for name in ("people", "start", "end", "step", "fps")}
    with TakeWriter.create_or_resume(
        settings.out,
        clip=identify(settings.clip, fps=info.fps, width=info.width, height=info.height, rotation=info.rotation),
        settings={**settings_with(preset, settings.heights), "layers": settings.cleanup.values(), "clip": asked},
        until_people=(*UNTIL_PEOPLE, "layers"),
        remade=("layers",),
        body=BodyInfo(body.name, model_sha256("body"), body.vertex_count, len(surface.faces), len(surface.uvs)),
        weights={name: model_sha256(name) for name in models_of(preset)},
        created_by=f"pchmr {__version__}",
        overwrite=settings.overwrite,
    ) as writer:
        store = DetectionStore(writer.folder)
        if not writer.resumed:
            store.clear()
        if not _finished(writer):
            meter = Meter(report, cancelled)
            known = bool(writer.info.people)  # then an earlier job has told what it found
            with ThreadPoolExecutor(1) as pool:  # the networks come while the 2D stage's processes work
                loading = pool.submit(_networks, preset)
                found = estimate(
                    source, info, store, preset.estimator, preset.workers, people, meter,
                    watch_camera=not known, team=team,
                )  # fmt: skip
            for warning in (*info.warnings, *intrinsics.warnings, *found.warnings):
                writer.warn(warning)
            writer.write_arrays(vars(surface))
            heights = each(settings.heights, preset, len(found.tracks))
            solvers = [loading.result().of_height(height) for height in heights]
            # A job that goes on ends as it began; what is to be otherwise is made again after it.
            begun = writer.info.settings.get("layers") or Layers.off().values()
            layers = read_layers(begun) if known else settings.cleanup
            _solve(writer, found, intrinsics, solvers, bool(settings.heights), layers, meter)
        store.clear()
    if writer.resumed:  # its settings may have been asked for with another clean-up
        clean_up(writer.folder, settings.cleanup, report, cancelled)
    return writer.folder


def _finished(writer: TakeWriter) -> bool:
    """Whether a job before this one did everything."""
    return bool(writer.info.people) and all(STAGES[-1] in person.finished for person in writer.info.people)


def _solve(
    writer: TakeWriter,
    found: Estimation,
    intrinsics: Intrinsics,
    begun: Sequence[Solver],
    given: bool,
    layers: Layers,
    meter: Meter,
) -> None:
    """Both streams, target pose, calibration and suspects of everyone."""
    threads = torch.get_num_threads()
    # The fit is thousands of tiny operations: waking further threads for each costs more than they bring. What can
    # be done beside it has threads of its own.
    torch.set_num_threads(1)
    sightings = gather(found.store.frames(), found.tracks, found.indices, found.times)
    streams = [solver.look(one, intrinsics, meter.stage) for solver, one in zip(begun, sightings, strict=True)]
    placed = on_one_floor(begun, streams, given, meter.stage)
    if not writer.info.people:
        tall = [solver.preset.height for solver in placed.solvers]
        writer.set_people([_person(k, *one) for k, one in enumerate(zip(sightings, tall, strict=True))])
    wanted_from = [meshes_from(writer, k) for k in range(len(sightings))]
    people = list(zip(placed.solvers, placed.streams, strict=True))
    # While the poses are fitted, the disk and another core take what is known before.
    with MeshesAhead(people, wanted_from, partial(write_mesh, writer)) as meshes, ThreadPoolExecutor(1) as beside:
        writing = beside.submit(_write_seen, writer, sightings, placed, intrinsics)
        solves = placed.targets(meter.stage)
        writing.result()
        for k, (sighting, solver, solve) in enumerate(zip(sightings, placed.solvers, solves, strict=True)):
            write_fit(writer, k, solve)
            find_suspects(writer, k, sighting, solve, solver, intrinsics, meter)
        for k, solve in enumerate(solves):
            target = write_target(writer, k, solve, layers, meter)
            write_calibrated(writer, k, meshes.of(k), target, meter)
    torch.set_num_threads(threads)


def _write_seen(writer: TakeWriter, sightings: Sequence[Sighting], placed: Placed, intrinsics: Intrinsics) -> None:
    """Camera, world, and what both streams have of everyone."""
    writer.write_array("camera", [intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy])
    write_world(writer, placed.world)
    for k, (sighting, solver, streams) in enumerate(zip(sightings, placed.solvers, placed.streams, strict=True)):
        write_streams(writer, k, sighting, streams)
        write_shape(writer, k, solver, streams)


def _networks(preset: SolvePreset) -> Solver:
    """What solves people of the preset's height. Raises WeightsMissing, WeightsCorrupt, as `choose_device`."""
    body, device = load_default_body(), choose_device(preset.device)
    return Solver(body, VideoPose3D(device=device), Proxy(device=device, body=body), preset)


def _person(index: int, sighting: Sighting, height: float) -> PersonInfo:
    """A person's line of the take."""
    x0, y0, x1, y1 = (float(v) for v in sighting.boxes[0])
    return PersonInfo(
        index=index,
        box=(x0, y0, x1, y1),
        first_frame=int(sighting.frames[0]),
        last_frame=int(sighting.frames[-1]),
        height=height,
        frames=len(sighting.frames),
    )


def model_sha256(name: str) -> str:
    """Digest of a model file that is there and right. Raises WeightsMissing or WeightsCorrupt."""
    model_path(name)
    return expected_sha256(REGISTRY[name]) or ""
