"""Training epoch of the LSTM of actions beside PyTorch's packed LSTM, on the same 600 sequences of 7 to 1151 frames.

python -m benchmarks.action_training --rounds=5 --json=action_training.json
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from benchmarks import results
from benchmarks.action_batches import LONGEST, MEDIAN, ORDERS, SEQUENCES, SHORTEST, batches, lengths
from benchmarks.alternation import Side
from benchmarks.comparison import compare, matrix_product
from benchmarks.ours import assemble
from configs import har_lstm_fhad
from vid_jax import sharding
from vid_jax.input_pipeline.joint_sources import ACTIONS

TARGET = ">= 3.0"
_DIM = 63  # of a frame's features


def make_config(changes: Mapping[str, Any] | None = None) -> ConfigDict:
    """configs/har_lstm_fhad.py:baseline on whole sequences."""
    config = har_lstm_fhad.get_config("baseline")
    config.data.max_length = 0
    config.data.lengths = (64, 128, 256, 512, 1024)
    config.lock()
    config.update_from_flattened_dict(changes or {})
    return config


def measure(config: ConfigDict, order: str, rounds: int, number: int = SEQUENCES) -> list[dict]:
    """Ours beside PyTorch's, on the same batches in either order."""
    arguments = {
        "order": order,
        "batch_size": config.train.batch_size,
        "boundaries": list(config.data.lengths),
        "pool": config.data.pool,
        "classes": len(ACTIONS[config.data.dataset]),
        "number": number,
    }
    gates = 4 * config.model.hidden
    flops = 3 * 2 * float(lengths(number).sum()) * gates * (_DIM + config.model.hidden)
    ours = Side(
        "vid_jax",
        "benchmarks.action_training:our_epoch",
        {"config": config.to_json(), "dealt": arguments},
        flops=flops,
    )
    peer = Side(
        "PyTorch, packed",
        "benchmarks.peers.lstm_torch:training_epoch",
        {
            "hidden": config.model.hidden,
            "learning_rate": config.optimizer.learning_rate,
            "dealt": arguments,
        },
        requires="torch",
        flops=flops,
    )
    work = (
        f"training epoch of {number} sequences, {order}, float32, batch {config.train.batch_size}"
    )
    return compare(work, ours, [peer], matrix_product("float32"), TARGET, rounds)


def our_epoch(config: str, dealt: dict) -> Callable[[], Any]:
    """The training steps of an epoch whose batches are on the device."""
    experiment = assemble(config)
    train_step, state = experiment.train_step(), experiment.init()
    epoch = [sharding.put_batch(batch, experiment.mesh) for batch in batches(**dealt)]

    def run():
        nonlocal state
        for batch in epoch:
            state, metrics = train_step(state, batch)
        return jax.block_until_ready((state, metrics))

    return run


def main() -> None:
    """Measures both orders of the batches."""
    arguments = results.argument_parser(__doc__).parse_args()
    rows = [row for order in ORDERS for row in measure(make_config(), order, arguments.rounds)]
    median = np.median(lengths())
    title = (
        f"LSTM of actions; lengths {SHORTEST} to {LONGEST}, median {median:.0f} (wanted {MEDIAN})"
    )
    results.publish(title, rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
