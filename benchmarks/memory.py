"""Peak memory of a training step of MemAE beside PyTorch's: growth over the idle process after its imports.

python -m benchmarks.memory --batch_size=8 --json=memory.json
"""

import pkgutil
import re
import statistics
from pathlib import Path

from ml_collections import ConfigDict

from benchmarks import memae, results, systems
from benchmarks.alternation import Side, installed, worker

TARGET = "<= 1.3"
_STEPS = 2


def measure(config: ConfigDict, rounds: int) -> list[dict]:
    """The median over fresh processes; one at a time, so that each has all the memory there is."""
    sides = installed([systems.our_training(memae, config), *memae.training_peers(config)])
    growths = {side.name: [] for side in sides}
    idle = {}
    for side in sides * rounds:
        with worker(side.environment) as executor:
            idle[side.name], peak = executor.submit(_idle_and_peak, side).result()
        growths[side.name].append(peak - idle[side.name])
    ours = statistics.median(growths[sides[0].name])
    return [
        {
            "work": f"training step {memae.describe(config)}",
            "side": side.name,
            "idle MB": idle[side.name] / 1e6,
            "growth MB": statistics.median(growths[side.name]) / 1e6,
            "ours over it": ours / statistics.median(growths[side.name]),
            "target": "" if side is sides[0] else TARGET,
            "growth in bytes by round": growths[side.name],
        }
        for side in sides
    ]


def _idle_and_peak(side: Side) -> tuple[int, int]:
    """Bytes resident once the side's modules are imported, and at most until its steps are done."""
    build = pkgutil.resolve_name(side.build)
    idle = status_bytes("VmRSS")
    run = build(**side.arguments)
    for _ in range(_STEPS):
        run()
    return idle, status_bytes("VmHWM")


def status_bytes(field: str) -> int:
    """A number that the system keeps of this process, such as VmHWM, its peak resident memory."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"^{field}:\s*(\d+) kB", status, re.MULTILINE)[1])


def main() -> None:
    """Measures one size."""
    parser = results.argument_parser(__doc__, rounds=1)
    systems.add_size_arguments(parser)
    arguments = parser.parse_args()
    changes = systems.size_changes(arguments, memae, memae.SIZE | {"train.batch_size": 8})
    config = memae.make_config("", changes)
    results.publish("Peak memory", measure(config, arguments.rounds), arguments.json)


if __name__ == "__main__":
    results.run(main)
