"""`evaluate WHAT`: the tables of accuracy in the README."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .options import DATA, needed, positive, whole

if TYPE_CHECKING:
    from ..evaluation.accuracy import Evaluation
    from .options import Commands

_RENDERED = Path(__file__).parent.parent / "evaluation" / "rendered_test.npz"


def add_to(commands: Commands) -> None:
    """Add the command and what it evaluates."""
    parser = commands.add_parser(
        "evaluate", help="tables of accuracy", description="Measure accuracy, and print the tables as Markdown."
    )
    whats = parser.add_subparsers(title="what", metavar="WHAT", required=True)

    out = DATA / "predictions.npz"
    accuracy = whats.add_parser("accuracy", help="both streams and calibration on held-out subjects")
    _add_evaluator(accuracy)
    accuracy.add_argument("--predictions", type=Path, metavar="FILE", help="also write what `evaluate predict` writes")
    accuracy.set_defaults(run=_accuracy)

    predict = whats.add_parser("predict", help="the predictions that `evaluate suspects` judges")
    _add_evaluator(predict)
    predict.add_argument(
        "--out", dest="predictions", type=Path, default=out, metavar="FILE", help="default: %(default)s"
    )
    predict.set_defaults(run=_predict)

    suspects = whats.add_parser("suspects", help="do the suspect scores find the wrong joints?")
    suspects.add_argument(
        "--test", type=Path, default=out, metavar="FILE", help="predictions to judge (default: %(default)s)"
    )
    suspects.add_argument("--fit", type=Path, metavar="FILE", help="predictions of training clips: fit the model first")
    suspects.add_argument(
        "--planted", type=Path, metavar="FILE", help="rendered training clips: fit the leap to mistakes planted in them"
    )
    suspects.add_argument(
        "--detections",
        type=Path,
        metavar="FILE",
        help="rendered clips: are mistakes in their detections found?",
    )
    suspects.add_argument(
        "--clips", type=whole(1), default=40, metavar="N", help="with --detections: so many (default: %(default)s)"
    )
    suspects.add_argument("--fps", type=positive, help="frames a second of the clips (default: the rendered clips')")
    suspects.set_defaults(run=_suspects)

    footage = whats.add_parser("footage", help="reprojection, lengths, flips and jumps of takes of real footage")
    footage.add_argument("takes", type=Path, nargs="+", metavar="TAKE", help="folders of takes")
    footage.set_defaults(run=_footage)

    targets = whats.add_parser("targets", help="what the clean-up layers mend of planted mistakes, and what they spoil")
    targets.add_argument(
        "--rendered", type=Path, default=_RENDERED, metavar="FILE", help="whose motion to use (default: %(default)s)"
    )
    targets.add_argument("--takes", type=whole(1), default=20, metavar="N", help="so many takes (default: %(default)s)")
    targets.set_defaults(run=_targets)

    corrections = whats.add_parser("corrections", help="what corrected 2D detections mend of planted mistakes")
    corrections.add_argument(
        "--rendered", type=Path, default=_RENDERED, metavar="FILE", help="the rendered clips (default: %(default)s)"
    )
    corrections.add_argument(
        "--clips", type=whole(1), default=40, metavar="N", help="the first N clips (default: %(default)s)"
    )
    corrections.set_defaults(run=_corrections)


def _add_evaluator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rendered", type=Path, default=_RENDERED, metavar="FILE", help="the rendered clips (default: %(default)s)"
    )
    parser.add_argument("--clips", type=whole(1), metavar="N", help="only the first N clips")
    for name in ("lifter", "proxy", "calibration"):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"this {name} file instead of the shipped one")


def _evaluated(options: argparse.Namespace) -> Evaluation:
    """Run the systems over the clips; write the predictions where that is asked for."""
    rendered = needed(options.rendered, "train render --set test --clips 240 --frames 48")
    import numpy as np

    from ..disk import writing
    from ..evaluation.accuracy import Evaluator
    from ..progress import Meter
    from .progress_bar import ProgressBar

    evaluator = Evaluator(rendered, options.lifter, options.proxy, options.calibration)
    with ProgressBar() as bar:
        meter = Meter(bar)
        evaluation = evaluator.run(lambda done, total: meter.stage("evaluate", done, total), options.clips)
    if options.predictions is not None:
        arrays: dict[str, Any] = evaluation.predictions
        with writing(options.predictions):
            options.predictions.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(options.predictions, **arrays)
    return evaluation


def _accuracy(options: argparse.Namespace) -> int:
    evaluation = _evaluated(options)
    from ..evaluation.accuracy_table import table

    print(table(evaluation))
    return 0


def _predict(options: argparse.Namespace) -> int:
    _evaluated(options)
    print(options.predictions)
    return 0


def _suspects(options: argparse.Namespace) -> int:
    if options.detections is not None:
        return _detected_suspects(options)
    test = needed(options.test, "evaluate predict")
    fit = None if options.fit is None else needed(options.fit, "evaluate predict --rendered build/rendered_train.npz")
    planted = None if options.planted is None else needed(options.planted, "train render --set train")
    from ..evaluation import evaluate_suspects
    from ..evaluation.suspect_predictions import RENDERED_FPS

    fps = RENDERED_FPS if options.fps is None else options.fps
    evaluate_suspects.run(test, fit, fps, planted)
    return 0


def _detected_suspects(options: argparse.Namespace) -> int:
    rendered = needed(options.detections, "train render --set test --clips 240 --frames 48")
    from ..evaluation import detected_suspects
    from ..progress import Meter
    from .progress_bar import ProgressBar

    with ProgressBar() as bar:
        meter = Meter(bar)
        found = detected_suspects.rows(rendered, options.clips, partial(meter.stage, "evaluate"))
    print(detected_suspects.table(found))
    return 0


def _footage(options: argparse.Namespace) -> int:
    from ..evaluation import footage
    from ..take import open_take

    footage.run([open_take(take) for take in options.takes])
    return 0


def _targets(options: argparse.Namespace) -> int:
    rendered = needed(options.rendered, "train render --test --clips 240 --frames 48")
    from ..evaluation import evaluate_targets
    from ..progress import Meter
    from .progress_bar import ProgressBar

    with ProgressBar() as bar:
        meter = Meter(bar)
        found = evaluate_targets.run(rendered, options.takes, lambda done, total: meter.stage("evaluate", done, total))
    print(found)
    return 0


def _corrections(options: argparse.Namespace) -> int:
    rendered = needed(options.rendered, "train render --set test --clips 240 --frames 48")
    from ..evaluation import evaluate_corrections
    from ..progress import Meter
    from .progress_bar import ProgressBar

    with ProgressBar() as bar:
        meter = Meter(bar)
        tick = partial(meter.stage, "evaluate")
        found = evaluate_corrections.rows(rendered, options.clips, tick)
    print(evaluate_corrections.table(found))
    return 0
