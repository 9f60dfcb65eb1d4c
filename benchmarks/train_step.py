"""Training step of MemAE beside PyTorch's: full width in float32 and bfloat16, and the small network.

python -m benchmarks.train_step --rounds=5 --json=train_step.json
"""

from ml_collections import ConfigDict

from benchmarks import memae, results
from benchmarks.comparison import compare, matrix_product

TARGET = ">= 1.0, aim 1.5"


def measure(config: ConfigDict, rounds: int) -> list[dict]:
    """Ours beside PyTorch in float32; of a bfloat16 config also beside PyTorch's autocast."""
    peers = [memae.torch_training(config)]
    if config.model.dtype == "bfloat16":
        peers.append(memae.torch_training(config, autocast=True))
    return compare(
        f"training step {memae.describe(config)}",
        memae.our_training(config),
        peers,
        matrix_product(config.model.dtype),
        TARGET,
        rounds,
    )


def main() -> None:
    """Measures both types at the size that the flags give, then the small network at its own."""
    parser = results.argument_parser(__doc__)
    memae.add_size_arguments(parser)
    arguments = parser.parse_args()
    changes = memae.size_changes(arguments)
    configs = [
        memae.make_config("", changes | {"model.dtype": dtype}) for dtype in ("float32", "bfloat16")
    ]
    configs.append(memae.make_config("cpu"))
    rows = [row for config in configs for row in measure(config, arguments.rounds)]
    results.publish("Training step", rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
