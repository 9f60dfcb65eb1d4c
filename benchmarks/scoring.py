"""Scoring with each system beside PyTorch: the forward pass as in an evaluation, float32.

python -m benchmarks.scoring --systems memae --frame_size 128 128 --frame_size 256 256 --json=scoring.json
"""

from ml_collections import ConfigDict

from benchmarks import results, systems
from benchmarks.comparison import compare, matrix_product
from benchmarks.systems import System


def measure(system: System, config: ConfigDict, rounds: int) -> list[dict]:
    """Ours, from windows in memory to what an evaluation asks for, beside PyTorch, to scores."""
    return compare(
        f"scoring {system.describe(config)}",
        systems.our_scoring(system, config),
        system.scoring_peers(config),
        matrix_product(system.dtype(config)),
        system.TARGET,
        rounds,
    )


def main() -> None:
    """Measures each system at each frame size that the flags give, or at its own."""
    parser = results.argument_parser(__doc__)
    systems.add_system_argument(parser)
    parser.add_argument(
        "--frame_size", type=results.positive, nargs=2, action="append", metavar=("H", "W")
    )
    parser.add_argument("--batch_size", type=results.positive)
    arguments = parser.parse_args()
    rows = []
    for system in systems.chosen(arguments):
        for size in arguments.frame_size or system.FRAME_SIZES:
            changes = {**system.SIZE, **system.of_frame_size(size)}
            if arguments.batch_size:
                changes["train.batch_size"] = arguments.batch_size
            rows += measure(system, system.make_config("", changes), arguments.rounds)
    results.publish("Scoring", rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
