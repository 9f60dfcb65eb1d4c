"""The tables of the field on any data set of hands: crop size, augmentation, fixed against fresh draws.

python -m benchmarks.pose_ablation --workdir=runs/ablation

Small by default: the demo's network and frames. Any other experiment: --config=FILE:VARIANT, and --config.KEY=VALUE as
of main.py. What is trained already is read again, so that the same command goes on where it stopped.
"""

import argparse
import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.results import positive, publish, run
from benchmarks.trained_runs import key_flags, metrics_of
from vid_jax import pose_prior
from vid_jax.command_line import parse_flags
from vid_jax.input_pipeline import create_dataset
from vid_jax.tasks._hand_crops import CropSettings

_SAMPLES = 20_000  # poses whose range is tabled


@dataclasses.dataclass(frozen=True)
class Runs:
    """Trainings of one experiment with different values of some keys."""

    config: str
    flags: Sequence[str]
    folder: Path
    seeds: int

    def errors(self, name: str, changes: Mapping[str, object]) -> list[float]:
        """The test error in mm for each seed."""
        found = []
        for seed in range(self.seeds):
            flags = self._flags(changes | {"seed": seed})
            metrics = metrics_of(self.folder / f"{name}-seed{seed}", flags)
            found.append(metrics["mean_error_mm"])
        return found

    def ranges(self, changes: Mapping[str, object]) -> tuple[str, str]:
        """From where to where the normalised joints and the coordinates of the prior reach."""
        config = parse_flags(["main.py", *self._flags(changes), f"--workdir={self.folder}"]).config
        settings = CropSettings.of(config)
        poses = pose_prior.sample_poses(
            create_dataset(config, config.train.batch_size).fields("train"),
            settings.camera,
            settings.prior_modes,
            settings.ranges,
            _SAMPLES,
            config.seed,
        )
        prior = pose_prior.fit(poses, config.model.prior_components)
        coordinates = (poses - prior["mean"]) @ prior["components"].T
        return tuple(f"{x.min():.2f} to {x.max():.2f}" for x in (poses, coordinates))

    def _flags(self, changes: Mapping[str, object]) -> list[str]:
        return [f"--config={self.config}", *self.flags, *key_flags(changes)]


def main() -> None:
    """Trains and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", default="configs/deepprior_synthetic.py:demo")
    parser.add_argument("--workdir", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--seeds", type=positive, default=1)
    parser.add_argument("--cubes", type=positive, nargs="*", default=[180, 200, 220], help="mm")
    parser.add_argument("--augmentations", nargs="*", default=["none", "com,rot,none"])
    parser.add_argument("--prior_augmentations", nargs="*", default=["none", "com,rot,none"])
    parser.add_argument(
        "--draws", nargs="*", choices=("fixed", "fresh"), default=["fixed", "fresh"]
    )
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="write the tables there too")
    arguments, flags = parser.parse_known_args()
    runs = Runs(arguments.config, flags, arguments.workdir, arguments.seeds)
    tables = {
        "crop size": [_crop_size(runs, cube) for cube in arguments.cubes],
        "augmentation": [
            _augmentation(runs, training, prior)
            for training in arguments.augmentations
            for prior in arguments.prior_augmentations
        ],
        "draws": [_draws(runs, draws) for draws in arguments.draws],
    }
    for name, rows in tables.items():
        if rows:
            file = arguments.json and arguments.json / f"{name.replace(' ', '_')}.json"
            publish(f"Hand pose by {name}, {arguments.config}", rows, file)


def _crop_size(runs: Runs, cube: int) -> dict:
    changes = {"data.cube": float(cube)}
    joints, coordinates = runs.ranges(changes)
    errors = runs.errors(f"cube{cube}", changes)
    return {"cube, mm": cube, "range of y": joints, "range of PCA": coordinates} | _summary(errors)


def _augmentation(runs: Runs, training: str, prior: str) -> dict:
    changes = {"data.augmentation": _modes(training), "data.prior_augmentation": _modes(prior)}
    errors = runs.errors(f"train-{training}-prior-{prior}", changes)
    return {"training": training, "prior": prior} | _summary(errors)


def _draws(runs: Runs, draws: str) -> dict:
    return {"draws": draws} | _summary(runs.errors(f"draws-{draws}", {"data.draws": draws}))


def _modes(text: str) -> str:
    return repr(tuple(text.split(",")))


def _summary(errors: Sequence[float]) -> dict:
    """Mean and standard deviation over the seeds."""
    spread = statistics.stdev(errors) if len(errors) > 1 else None
    return {
        "mean error, mm": statistics.mean(errors),
        "spread": spread,
        "seeds": len(errors),
        "errors": list(errors),
    }


if __name__ == "__main__":
    run(main)
