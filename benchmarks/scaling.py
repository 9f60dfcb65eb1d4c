"""How the time of our training step, and of its compilation, grows with frames, frame size, batch, slots and devices.

The devices are simulated on the cores that there are: the batch stays the same, and so should the work.

    python -m benchmarks.scaling --systems memae --frame_size 128 128 --batch_size=2 --json=scaling.json
"""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from benchmarks import results, systems
from benchmarks.alternation import Side, Times, alternate, ratio
from benchmarks.comparison import spread
from benchmarks.systems import System

DEVICES = (1, 2, 4)


def sweeps(system: System, changes: Mapping[str, Any]) -> dict[str, list[Side]]:
    """Of each quantity a side a setting, the others as the config and `changes` have them."""
    base = system.make_config("", changes)

    def settings(key: str) -> dict[str, ConfigDict]:
        value = functools.reduce(getattr, key.split("."), base)
        values = (_times(factor, value) for factor in system.GROWTH[key])
        return {_show(v): system.make_config("", {**changes, key: v}) for v in values}

    quantities = {
        key: [systems.our_training(system, config, name) for name, config in settings(key).items()]
        for key in system.GROWTH
    }
    if "num_frames" in base.data:
        quantities["data.num_frames, compilation"] = [
            systems.our_compilation(config, name)
            for name, config in settings("data.num_frames").items()
        ]
    most = max(DEVICES)
    batch_size = most * -(-base.train.batch_size // most)  # so that all devices share it evenly
    shared = system.make_config("", {**changes, "train.batch_size": batch_size})
    quantities[f"devices, batch {batch_size}"] = [
        systems.our_training(system, shared, _show(count), XLA_FLAGS=_simulated(count))
        for count in DEVICES
    ]
    return quantities


def growth(
    work: str, quantity: str, sides: Sequence[Side], times: Mapping[str, Times]
) -> list[dict]:
    """One row a setting: its time over that of the first, beside its arithmetic over that of the first."""
    first = sides[0]
    return [
        {
            "work": work,
            "quantity": quantity,
            "setting": side.name,
            **spread(times[side.name]),
            "time over first": ratio(times[side.name], times[first.name]),
            "CPU time over first": sum(times[side.name].cpu) / sum(times[first.name].cpu),
            "arithmetic over first": side.flops / first.flops if first.flops else None,
        }
        for side in sides
    ]


def _times(factor: float, value):
    if isinstance(value, tuple):
        return tuple(_times(factor, part) for part in value)
    return round(factor * value)


def _show(value) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _simulated(devices: int) -> str:
    flag = f"--xla_force_host_platform_device_count={devices}"
    return f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()


def main() -> None:
    """Measures every quantity of each system, the others at the size that the flags give or its small one."""
    parser = results.argument_parser(__doc__, rounds=3)
    systems.add_system_argument(parser)
    systems.add_size_arguments(parser)
    arguments = parser.parse_args()
    rows = []
    for system in systems.chosen(arguments):
        changes = systems.size_changes(arguments, system, system.SMALL_SIZE)
        work = system.describe(system.make_config("", changes))
        for quantity, sides in sweeps(system, changes).items():
            rows += growth(work, quantity, sides, alternate(sides, arguments.rounds))
    results.publish("Growth of the training step's time", rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
