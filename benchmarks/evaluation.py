"""Test frames a second that MemAE's evaluation takes in, whole and in parts, on generated video.

python -m benchmarks.evaluation --frames=300 --json=evaluation.json
"""

import tempfile
from pathlib import Path

from ml_collections import ConfigDict

from benchmarks import memae, results
from benchmarks.alternation import Side, alternate
from benchmarks.comparison import spread
from benchmarks.generated_videos import use_generated_videos

PARTS = {
    "checkpoint to report": "whole",
    "stored frames to scores": "scores_of_stored_frames",
    "windows in memory to scores": "scores_of_windows_in_memory",
}


def measure(config: ConfigDict, test_frames: int, rounds: int) -> list[dict]:
    """One row a part; only the first compiles its step in every round, as `--mode=evaluate` does."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = {"config": use_generated_videos(config, Path(folder), test_frames).to_json()}
        sides = [
            Side(name, f"benchmarks.evaluation_sides:{function}", arguments)
            for name, function in PARTS.items()
        ]
        times = alternate(sides, rounds, warm_up=0)
    return [
        {
            "work": f"evaluation of {test_frames} frames, {memae.describe(config)}",
            "part": name,
            **spread(part_times),
            "frames/s": test_frames / part_times.median,
        }
        for name, part_times in times.items()
    ]


def main() -> None:
    """Measures the small network at its own frame size."""
    parser = results.argument_parser(__doc__, rounds=3)
    parser.add_argument("--frames", type=results.positive, default=300, help="of the test video")
    arguments = parser.parse_args()
    rows = measure(memae.make_config("cpu"), arguments.frames, arguments.rounds)
    results.publish("Evaluation", rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
