"""Training step of each system beside PyTorch's.

python -m benchmarks.train_step --systems memae --rounds=5 --json=train_step.json
"""

from ml_collections import ConfigDict

from benchmarks import results, systems
from benchmarks.comparison import compare, matrix_product
from benchmarks.systems import System


def measure(system: System, config: ConfigDict, rounds: int) -> list[dict]:
    """Ours beside PyTorch in every way that a config asks for."""
    return compare(
        f"training step {system.describe(config)}",
        systems.our_training(system, config),
        system.training_peers(config),
        matrix_product(system.dtype(config)),
        system.TARGET,
        rounds,
    )


def main() -> None:
    """Measures what each system trains, at the size that the flags give or its own."""
    parser = results.argument_parser(__doc__)
    systems.add_system_argument(parser)
    systems.add_size_arguments(parser)
    arguments = parser.parse_args()
    rows = [
        row
        for system in systems.chosen(arguments)
        for config in system.training_configs(systems.size_changes(arguments, system, system.SIZE))
        for row in measure(system, config, arguments.rounds)
    ]
    results.publish("Training step", rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
