"""How the time of our training step grows with frames, frame size, batch, memory slots and devices.

The devices are simulated on the cores that there are: the batch stays the same, and so should the work.

    python -m benchmarks.scaling --frame_size 128 128 --batch_size=2 --json=scaling.json
"""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import memae, results
from benchmarks.alternation import Side, Times, alternate, ratio
from benchmarks.comparison import spread

FACTORS = {
    "data.num_frames": (0.5, 1, 2),
    "data.frame_size": (0.5, 1, 2),  # of height and width
    "train.batch_size": (1, 2, 4),
    "model.memory_slots": (0.25, 0.5, 1, 2),
}
DEVICES = (1, 2, 4)


def sweeps(changes: Mapping[str, Any], variant: str = "") -> dict[str, list[Side]]:
    """Of each quantity a side a setting, the others as the config and `changes` have them."""
    base = memae.make_config(variant, changes)

    def side(key: str, factor: float) -> Side:
        value = _times(factor, functools.reduce(getattr, key.split("."), base))
        return memae.our_training(memae.make_config(variant, {**changes, key: value}), _show(value))

    quantities = {key: [side(key, factor) for factor in FACTORS[key]] for key in FACTORS}
    most = max(DEVICES)
    batch_size = most * -(-base.train.batch_size // most)  # so that all devices share it evenly
    shared = memae.make_config(variant, {**changes, "train.batch_size": batch_size})
    quantities[f"devices, batch {batch_size}"] = [
        memae.our_training(shared, _show(count), XLA_FLAGS=_simulated(count)) for count in DEVICES
    ]
    return quantities


def growth(quantity: str, sides: Sequence[Side], times: Mapping[str, Times]) -> list[dict]:
    """One row a setting: its time over that of the first, beside its arithmetic over that of the first."""
    first = sides[0]
    return [
        {
            "quantity": quantity,
            "setting": side.name,
            **spread(times[side.name]),
            "time over first": ratio(times[side.name], times[first.name]),
            "CPU time over first": sum(times[side.name].cpu) / sum(times[first.name].cpu),
            "arithmetic over first": side.flops / first.flops,
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
    """Measures every quantity, the others at the size that the flags give."""
    parser = results.argument_parser(__doc__, rounds=3)
    memae.add_size_arguments(parser)
    arguments = parser.parse_args()
    rows = []
    for quantity, sides in sweeps(memae.size_changes(arguments)).items():
        rows += growth(quantity, sides, alternate(sides, arguments.rounds))
    results.publish("Growth of the training step's time", rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
