"""Parallel PC-HMR from footage to take, in the order of the paper's figure 2(b).

    footage → 2D pose ─┬→ lifter → fit → trajectory → target pose ─┐        (3D pose stream, section 3.2)
                       └→ mesh generator → HMR mesh ───────────────┴→ calibration → calibrated mesh, skeleton

Estimator, lifter and mesh generator know nothing of each other: this file couples them. Every stage writes into the
take as it goes. A job that was stopped goes on from there: detections and meshes that are kept are not made again; what
is between them takes seconds, and is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from . import __version__
from .body import load_default_body
from .body_topology import topology
from .calibration_weights import CalibrationWeights
from .camera import Intrinsics, choose_intrinsics
from .detections import DetectionStore
from .devices import choose_device
from .estimation import Estimation, estimate, frames_of, wanted
from .generators.proxy import Proxy
from .lifters.videopose3d import VideoPose3D
from .presets import result_settings
from .progress import Meter, Progress
from .sightings import Sighting, gather
from .solve import PersonSolve, Solver
from .solve_preset import SolvePreset
from .stages import find_suspects, write_meshes, write_rest, write_streams, write_target
from .take_info import BodyInfo, PersonInfo, identify
from .take_writer import TakeWriter
from .video import VideoSource, probe
from .weights import REGISTRY, expected_sha256, model_path

MODELS = ("blazepose_detector", "blazepose_landmarks", "lifter", "proxy", "calibration")


@dataclass(frozen=True)
class ReconstructSettings:
    """One clip's job."""

    clip: Path
    """Movie file, folder of images, or pattern of image names."""
    out: Path
    """The take's folder."""
    preset: SolvePreset
    """How to solve."""
    people: str = "largest"
    """"largest", "all", or a person's place by size as a number."""
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
    preset = settings.preset
    info = probe(settings.clip, settings.fps)
    source = VideoSource(settings.clip, settings.start, settings.end, settings.step, settings.fps)
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
        settings={**result_settings(preset), "clip": asked},
        body=BodyInfo(body.name, model_sha256("body"), body.vertex_count, len(surface.faces), len(surface.uvs)),
        weights={name: model_sha256(name) for name in MODELS},
        created_by=f"pchmr {__version__}",
        overwrite=settings.overwrite,
    ) as writer:
        store = DetectionStore(writer.folder)
        if not writer.resumed:
            store.clear()
        if not _finished(writer):
            meter = Meter(report, cancelled)
            known = bool(writer.info.people)  # then an earlier job has told what it found
            found = estimate(source, info, store, preset.workers, people, meter, watch_camera=not known)
            for warning in (*info.warnings, *intrinsics.warnings, *found.warnings):
                writer.warn(warning)
            for name, array in vars(surface).items():
                writer.write_array(name, array)
            _solve(writer, found, intrinsics, preset, meter)
        store.clear()
        return writer.folder


def _finished(writer: TakeWriter) -> bool:
    """Whether a job before this one did everything."""
    return bool(writer.info.people) and all("suspects" in person.finished for person in writer.info.people)


def _solve(writer: TakeWriter, found: Estimation, intrinsics: Intrinsics, preset: SolvePreset, meter: Meter) -> None:
    """Both streams, target pose, calibration and suspects of everyone."""
    body, device = load_default_body(), choose_device(preset.device)
    # The fit is thousands of tiny operations: waking further threads for each costs more than they bring.
    torch.set_num_threads(1)
    solver = Solver(body, VideoPose3D(device=device), Proxy(device=device, body=body), preset)
    weights = CalibrationWeights.load(model_path("calibration"))
    sightings = gather(found.store.frames(), found.tracks, found.indices, found.times)
    if not writer.info.people:
        writer.set_people([_person(k, sighting, preset.height) for k, sighting in enumerate(sightings)])
    writer.write_array("camera", [intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy])
    solves: list[PersonSolve] = []
    for k, sighting in enumerate(sightings):
        solve = solver.solve(sighting, intrinsics, meter.stage)
        write_streams(writer, k, sighting, solve)
        write_rest(writer, k, solver, solve)
        solves.append(solve)
    write_target(writer, solves, sightings, meter)
    for k, (sighting, solve) in enumerate(zip(sightings, solves, strict=True)):
        write_meshes(writer, k, solver, solve, weights, meter)
        find_suspects(writer, k, sighting, solve, solver, intrinsics, meter)


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
