"""What each feature and each augmentation adds to the recognition of actions, on generated gestures or any data set.

python -m benchmarks.action_ablation --workdir=runs/action_ablation

Trained on a tenth of the sequences, without which all is recognised. Any other experiment: --config=FILE:VARIANT, and
--config.KEY=VALUE as of main.py. What is trained already is read again, so that the same command goes on where it
stopped.
"""

import argparse
import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.results import positive, publish, run
from benchmarks.trained_runs import key_flags, metrics_of

# Added one after another.
_FEATURES = ("middle_mcp", "wrist", "palm", "palm_rotation", "wrist_path", "velocity", "log_length")
_BARE = ("middle_mcp",)  # takes the place of all that is given up
_SAMPLES = 2400  # between two validations: few of these, as most sequences validate
_AUGMENTATIONS = ("rotation_range", "scale_sigma", "time_warp", "crop", "noise_sigma")


@dataclasses.dataclass(frozen=True)
class Runs:
    """Trainings of one experiment with different values of some keys."""

    config: str
    flags: Sequence[str]
    folder: Path
    seeds: int

    def row(self, name: str, changes: Mapping[str, object]) -> dict:
        """Accuracy on the test split over the seeds."""
        found = [self._trained(name, seed, changes) for seed in range(self.seeds)]
        top1 = [metrics["top1_accuracy"] for metrics in found]
        return {
            "top-1": statistics.mean(top1),
            "spread": statistics.stdev(top1) if len(top1) > 1 else None,
            "top-3": statistics.mean(metrics["top3_accuracy"] for metrics in found),
            "seeds": len(found),
            "top-1 by seed": top1,
        }

    def _trained(self, name: str, seed: int, changes: Mapping[str, object]) -> dict:
        given = key_flags({**changes, "seed": seed})
        flags = [f"--config={self.config}", *given, *self.flags]
        return metrics_of(self.folder / f"{name}-seed{seed}", flags)


def main() -> None:
    """Trains and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", default="configs/har_lstm_synthetic.py:best")
    parser.add_argument("--workdir", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--seeds", type=positive, default=1)
    parser.add_argument("--epochs", type=positive, default=4, help=f"of {_SAMPLES:,} sequences")
    parser.add_argument("--share", type=float, default=0.1, help="of the sequences, trained on")
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="write the tables there too")
    arguments, flags = parser.parse_known_args()
    runs = Runs(arguments.config, flags, arguments.workdir, arguments.seeds)
    few = {
        "train.epochs": arguments.epochs,
        "data.samples_per_epoch": _SAMPLES,
        "optimizer.warmup_epochs": 0.3,
        "data.validation": "fraction",
        "data.validation_fraction": round(1 - arguments.share, 6),
        "eval.checkpoint": "latest",
    }
    for name, rows in {
        "features": feature_rows(runs, few),
        "augmentation": augmentation_rows(runs, few),
    }.items():
        file = arguments.json and arguments.json / f"action_{name}.json"
        publish(f"Actions by {name}, {arguments.config}", rows, file)


def feature_rows(runs: Runs, changes: Mapping[str, object]) -> list[dict]:
    """Features one after another, all augmented alike; the last row gives up those of the hand as it is held."""
    sets = [_FEATURES[: number + 1] for number in range(len(_FEATURES))]
    sets.append(tuple(name for name in _FEATURES if name not in ("middle_mcp", "wrist")))
    return [
        {"features": ", ".join(names)}
        | runs.row("features-" + "-".join(names), {**changes, "model.features": repr(names)})
        for names in sets
    ]


def augmentation_rows(runs: Runs, changes: Mapping[str, object]) -> list[dict]:
    """None, each kind alone, all; and all or none on the joints from the middle finger's MCP alone."""
    kinds = [(), *((kind,) for kind in _AUGMENTATIONS), _AUGMENTATIONS]
    rows = []
    for features in (None, _BARE):
        for used in kinds if features is None else [kinds[0], kinds[-1]]:
            off = {f"data.{kind}": 0.0 for kind in _AUGMENTATIONS if kind not in used}
            named = "all" if used == _AUGMENTATIONS else used[0] if used else "none"
            chosen = {"model.features": repr(features)} if features else {}
            seen = ", ".join(features) if features else "as configured"
            name = f"augmentation-{named}" + ("-" + "-".join(features) if features else "")
            found = runs.row(name, {**changes, **off, **chosen})
            rows.append({"augmentation": named, "features": seen} | found)
    return rows


if __name__ == "__main__":
    run(main)
