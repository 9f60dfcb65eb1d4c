"""Scoring with MemAE beside PyTorch: the forward pass with running BatchNorm statistics, float32.

python -m benchmarks.scoring --frame_size 128 128 --frame_size 256 256 --json=scoring.json
"""

from ml_collections import ConfigDict

from benchmarks import memae, results
from benchmarks.comparison import compare, matrix_product

TARGET = ">= 1.0, aim 1.5"


def measure(config: ConfigDict, rounds: int) -> list[dict]:
    """Ours, from windows in memory to scores and error maps, beside PyTorch, to scores."""
    return compare(
        f"scoring {memae.describe(config)}",
        memae.our_scoring(config),
        [memae.torch_scoring(config)],
        matrix_product(config.model.dtype),
        TARGET,
        rounds,
    )


def main() -> None:
    """Measures each frame size."""
    parser = results.argument_parser(__doc__)
    parser.add_argument(
        "--frame_size", type=results.positive, nargs=2, action="append", metavar=("H", "W")
    )
    parser.add_argument("--batch_size", type=results.positive, default=2)
    arguments = parser.parse_args()
    rows = []
    for size in arguments.frame_size or [(128, 128), (256, 256)]:
        changes = {"data.frame_size": tuple(size), "train.batch_size": arguments.batch_size}
        rows += measure(memae.make_config("", changes), arguments.rounds)
    results.publish("Scoring", rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
