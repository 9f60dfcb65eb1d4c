"""Windows a second that the input pipeline delivers by itself, and its memory, beside what our training step eats.

python -m benchmarks.input_pipeline --frame_size 128 128 --frames 4560 300000 --json=input_pipeline.json
"""

import itertools
import math
import statistics

from ml_collections import ConfigDict

from benchmarks import memae, results, systems
from benchmarks.alternation import alternate, call, worker

_STEP_BATCH = 2  # windows; more of them do not train faster on a CPU, and want more memory


def measure(config: ConfigDict, frame_counts: list[int], steps: int, rounds: int) -> list[dict]:
    """One row a number of stored frames; every reading is in a fresh process."""
    trained = config.copy_and_resolve_references()
    trained.train.batch_size = _STEP_BATCH
    step = systems.our_training(memae, trained)
    appetite = _STEP_BATCH / alternate([step], rounds)[step.name].median
    readings = {frames: [] for frames in frame_counts}
    for _, frames in itertools.product(range(rounds), frame_counts):
        readings[frames].append(_read(config, frames, steps))
    return [_row(config, frames, readings[frames], appetite) for frames in frame_counts]


def _read(config: ConfigDict, num_frames: int, steps: int) -> tuple[float, int, int]:
    arguments = {"config": config.to_json(), "num_frames": num_frames, "steps": steps}
    with worker({}) as executor:
        return executor.submit(call, "benchmarks.input_pipeline_reader:read", arguments).result()


def _row(config: ConfigDict, num_frames: int, readings: list[tuple], appetite: float) -> dict:
    rates, before, peak = zip(*readings)
    rate = statistics.median(rates)
    return {
        "frames": num_frames,
        "frame size": "x".join(map(str, config.data.frame_size)),
        "store GB": num_frames * math.prod(config.data.frame_size) / 1e9,
        "windows/s": rate,
        "min": min(rates),
        "max": max(rates),
        "windows/s of the step": appetite,
        "times the step": rate / appetite,
        "resident MB": max(peak) / 1e6,
        "growth MB": max(b - a for a, b in zip(before, peak)) / 1e6,
        "windows/s by round": list(rates),
    }


def main() -> None:
    """Measures each frame size with each number of frames."""
    parser = results.argument_parser(__doc__, rounds=3)
    parser.add_argument(
        "--frame_size", type=results.positive, nargs=2, action="append", metavar=("H", "W")
    )
    parser.add_argument("--batch_size", type=results.positive, default=18)
    parser.add_argument("--frames", type=results.positive, nargs="+", default=[4_560, 300_000])
    parser.add_argument("--steps", type=results.positive, default=100, help="batches of a reading")
    arguments = parser.parse_args()
    rows = []
    for size in arguments.frame_size or [(128, 128), (240, 360)]:
        changes = {"data.frame_size": tuple(size), "train.batch_size": arguments.batch_size}
        config = memae.make_config("", changes)
        rows += measure(config, arguments.frames, arguments.steps, arguments.rounds)
    results.publish("Input pipeline", rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
