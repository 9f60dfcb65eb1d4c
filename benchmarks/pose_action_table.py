"""The table of joint models of hand pose and action, on generated gestures: every scheme, and what is added to it.

python -m benchmarks.pose_action_table --workdir=runs/pose_action

Parts are trained alone first, then each row starts from them; the main rows with every seed, of the parts too, the
others with the first. What is trained already is read again, so that the same command goes on where it stopped. With
--shares=0.1 0.5 0.9 boosting is also trained with each pair of these as eta and zeta, and contours are drawn.
"""

import argparse
import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.results import positive, publish, run
from benchmarks.trained_runs import key_flags, metrics_of
from vid_jax.action_figures import mixing_contours

_POSE = "configs/deepprior_film_synthetic.py:cpu"
_ACTION = "configs/har_lstm_synthetic.py"
_JOINT = "configs/pose_action_synthetic.py"

_SMALL = {
    "data.crop_size": 32,
    "model.widths": (8, 16, 32, 64, 64),
    "model.blocks": 1,
    "model.prior_samples": 50_000,
}
_ALONE = {"model.prior_trainable": True, "train.epochs": 15}
_RECOGNISER = {"train.epochs": 15, "optimizer.schedule": "cosine"}
_JOINTLY = {
    "data.lengths": (80,),
    "data.packing": 256,
    "train.batch_size": 8,
    "train.epochs": 10,
    "optimizer.learning_rate": 3e-4,
}

_SEEN = {"model.attention": "action_relu"}


@dataclasses.dataclass(frozen=True)
class Part:
    """A network that is trained alone: its config, and the keys that differ from it."""

    config: str
    changes: Mapping[str, object]


PARTS = {
    "pose": Part(_POSE, _SMALL | _ALONE | {"model.film": ()}),
    "conditioned_pose": Part(_POSE, _SMALL | _ALONE),
    "told_pose": Part(
        _POSE, _SMALL | _ALONE | {"model.equiprobable": 0.0, "eval.action": "ground_truth"}
    ),
    "action": Part(_ACTION, _RECOGNISER),
    "attention": Part(_ACTION, _RECOGNISER | _SEEN),
    "members": Part(_ACTION, _RECOGNISER | {"model.members": 3}),
}


@dataclasses.dataclass(frozen=True)
class Joint:
    """A row: a variant of the joint config, the keys that differ from it, and from which parts its own start.

    Attributes:
        code: of the family's re-implementation, where it has one for it.
        main: trained with every seed.
    """

    variant: str
    changes: Mapping[str, object] = dataclasses.field(default_factory=dict)
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
    code: str = ""
    main: bool = False


_ATTENTION = {f"model.action.{key.removeprefix('model.')}": value for key, value in _SEEN.items()}
_SEQUENTIAL = {"pose": "pose", "action": "action"}
_FEEDBACK = {"conditioned_pose": "conditioned_pose", "action": "action"}
_BOOSTING = _SEQUENTIAL | _FEEDBACK
_SMOOTH = {"model.smoothing": 0.4}

ROWS = {
    "sequential, untrained": Joint("untrained", {}, _SEQUENTIAL, "0", main=True),
    "sequential": Joint("sequential", {}, _SEQUENTIAL, "2d", main=True),
    "feedback": Joint("feedback", {}, _FEEDBACK, "4d", main=True),
    "boosting": Joint("boosting", {}, _BOOSTING, "11d", main=True),
    "boosting, attention": Joint(
        "boosting", _ATTENTION, _BOOSTING | {"action": "attention"}, "16d", main=True
    ),
    "two passes averaged, untrained": Joint("two_pass", {}, _BOOSTING, "0c"),
    "multi-task": Joint("multi_task", {}, {"pose": "pose"}),
    "sequential, attention": Joint("sequential", _ATTENTION, _SEQUENTIAL | {"action": "attention"}),
    "feedback, attention": Joint("feedback", _ATTENTION, _FEEDBACK | {"action": "attention"}, "6d"),
    "sequential, smoothed poses": Joint("sequential", _SMOOTH, _SEQUENTIAL),
    "feedback, smoothed poses": Joint("feedback", _SMOOTH, _FEEDBACK, "8d"),
    "boosting, smoothed poses": Joint("boosting", _SMOOTH, _BOOSTING, "11d4"),
    "sequential, temporal loss": Joint("sequential", {"train.temporal_loss": 1.0}, _SEQUENTIAL),
    "sequential, batch statistics": Joint("sequential", {"train.batch_norm": "batch"}, _SEQUENTIAL),
    "sequential, weighed by uncertainty": Joint(
        "sequential",
        {
            "train.weighting": "uncertainty",
            "optimizer.trainable": ("pose/(?!.*norm).*", "action/.*", "log_variance/.*"),
        },
        _SEQUENTIAL,
    ),
    "boosting, unnormalised": Joint(
        "boosting", {"model.mixing": "log_unnormalised"}, _BOOSTING, "11d"
    ),
    "boosting, probabilities": Joint(
        "boosting", {"model.mixing": "probabilities"}, _BOOSTING, "18d"
    ),
    "sequential, three recognisers": Joint(
        "sequential", {"model.action.members": 3}, _SEQUENTIAL | {"action": "members"}
    ),
    "distillation": Joint(
        "distillation",
        {},
        _SEQUENTIAL | {"teacher_pose": "told_pose", "teacher_action": "action"},
        "15d",
    ),
}
_FIGURES = {"mean_error_mm": "mm", "top1_accuracy": "top-1", "top3_accuracy": "top-3"}


@dataclasses.dataclass(frozen=True)
class Runs:
    """Trainings in a folder; `flags` hold for all of them."""

    folder: Path
    flags: Sequence[str]

    def joint(
        self, name: str, seed: int, changes: Mapping[str, object] | None = None, called: str = ""
    ) -> dict[str, float]:
        """The test figures of a row, or of one with further changes that is called otherwise."""
        row = ROWS[name]
        defaults = {f"init_from.{part}": self.part(of, seed) for part, of in row.sources.items()}
        defaults |= _JOINTLY
        for key, value in _SMALL.items():
            for part in ("pose", "conditioned_pose"):
                defaults[key.replace("model.", f"model.{part}.")] = value
        untrained = {"train.epochs": 0} if row.variant in ("untrained", "two_pass") else {}
        own = {**row.changes, **(changes or {}), **untrained}
        return self._trained(called or name, f"{_JOINT}:{row.variant}", defaults, own, seed)

    def part(self, name: str, seed: int) -> Path:
        """The workdir of a part."""
        part = PARTS[name]
        self._trained(f"part {name}", part.config, part.changes, {}, seed)
        return self.workdir(f"part {name}", seed)

    def _trained(
        self,
        name: str,
        config: str,
        defaults: Mapping[str, object],
        own: Mapping[str, object],
        seed: int,
    ) -> dict[str, float]:
        """The test figures of a run; the user's flags are stronger than `defaults`, and `own` than these."""
        given = [*key_flags(defaults), *self.flags, *key_flags(own | {"seed": seed})]
        return metrics_of(self.workdir(name, seed), [f"--config={config}", *given])

    def workdir(self, name: str, seed: int) -> Path:
        """Of a run."""
        return self.folder / f"{name.replace(',', '').replace(' ', '_')}-seed{seed}"


def main() -> None:
    """Trains and prints; other arguments are main.py's, as --config.train.epochs=2."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workdir", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--seeds", type=positive, default=3, help="of the main rows")
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=[*ROWS], metavar="ROW")
    parser.add_argument("--shares", type=float, nargs="*", default=[], help="eta and zeta")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there too")
    arguments, flags = parser.parse_known_args()
    runs = Runs(arguments.workdir, flags)
    table = []
    for name in arguments.rows:
        seeds = range(arguments.seeds if ROWS[name].main else 1)
        table.append(summary(name, [runs.joint(name, seed) for seed in seeds]))
    publish("Joint models of hand pose and action, generated gestures", table, arguments.json)
    if len(arguments.shares) > 1:
        file = arguments.workdir / "eta_zeta.png"
        contours(runs, sorted(arguments.shares)).savefig(file, dpi=110)
        print(f"Wrote {file}")


def contours(runs: Runs, shares: Sequence[float]) -> Figure:
    """Error and accuracy of boosting trained with each pair of shares of the second pass."""
    results = [
        [
            runs.joint(
                "boosting", 0, {"model.eta": eta, "model.zeta": zeta}, f"boosting {eta} {zeta}"
            )
            for zeta in shares
        ]
        for eta in shares
    ]
    errors, accuracies = (
        np.array([[result[figure] for result in row] for row in results])
        for figure in ("mean_error_mm", "top1_accuracy")
    )
    etas = np.array(shares)
    return mixing_contours(etas, etas, errors, accuracies, "Boosting, generated gestures")


def summary(name: str, results: Sequence[Mapping[str, float]]) -> dict:
    """A row of the table: mean and standard deviation of each figure over the seeds."""
    cells = {"model": name, "code": ROWS[name].code, "seeds": len(results)}
    for figure, called in _FIGURES.items():
        values = [result[figure] for result in results]
        cells[called] = statistics.mean(values)
        cells[f"{called} +-"] = statistics.stdev(values) if len(values) > 1 else None
        cells[f"{called}, all"] = values
    return cells


if __name__ == "__main__":
    run(main)
