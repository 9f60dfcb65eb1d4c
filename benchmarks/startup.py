"""Seconds from the start of a process to its first finished training step, once everything is cached.

A bare step without TensorFlow beside the same in PyTorch; the loop's own step and main.py for comparison.

    python -m benchmarks.startup --rounds=3 --json=startup.json
"""

import collections
import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ml_collections import ConfigDict

from benchmarks import memae, results, systems
from benchmarks.alternation import Side, alternate, ratio
from benchmarks.comparison import spread
from benchmarks.first_step import DONE
from benchmarks.generated_videos import use_generated_videos

TARGET = "<= 1.5"


def measure(config: ConfigDict, rounds: int) -> list[dict]:
    """Every call of a side is a new process; the first, which fills its compilation cache, stands apart."""
    peer, *_ = memae.training_peers(config)
    bare = dataclasses.replace(
        systems.our_training(memae, config, "vid_jax, bare step"),
        build="benchmarks.bare_step:train_step",
    )
    loop = systems.our_training(memae, config, "vid_jax, train_lib's step")
    with tempfile.TemporaryDirectory() as folder:
        with_data = use_generated_videos(config, Path(folder), 2 * config.data.num_frames)
        with_data.train.max_steps = 1
        arguments = {"config": with_data.to_json(), "folder": folder}
        command_line = Side("vid_jax, main.py", "benchmarks.first_step:main_py", arguments)
        sides = [
            _started_anew(side, f"{folder}/{side.name}")
            for side in (bare, loop, command_line, peer)
        ]
        times = alternate(sides, rounds, warm_up=0, at_least=0)
    return [
        {
            "work": f"start to first step, {memae.describe(config)}",
            "side": name,
            "first run": side_times.first,
            **spread(side_times),
            "over PyTorch": ratio(side_times, times[peer.name]) if peer.name in times else None,
            "target": TARGET if name == bare.name else "",
        }
        for name, side_times in times.items()
    ]


def launch(build: str, arguments: dict) -> Callable[[], None]:
    """Starts a process that does the work of a side once, and waits until it has."""

    def run():
        command = [sys.executable, "-m", "benchmarks.first_step", build, json.dumps(arguments)]
        last_lines = collections.deque(maxlen=20)
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout:
                if line.strip() == DONE:
                    process.kill()
                    return
                last_lines.append(line)
        raise RuntimeError(f"{build} ended before its first step:\n{''.join(last_lines)}")

    return run


def _started_anew(side: Side, cache: str) -> Side:
    environment = {
        "JAX_COMPILATION_CACHE_DIR": cache,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    arguments = {"build": side.build, "arguments": side.arguments}
    build = "benchmarks.startup:launch"
    return dataclasses.replace(side, build=build, arguments=arguments, environment=environment)


def main() -> None:
    """Measures one size at full width, and the small network at its own."""
    parser = results.argument_parser(__doc__, rounds=3)
    systems.add_size_arguments(parser)
    arguments = parser.parse_args()
    changes = systems.size_changes(arguments, memae, memae.SIZE)
    configs = [memae.make_config("", changes), memae.make_config("cpu")]
    rows = [row for config in configs for row in measure(config, arguments.rounds)]
    results.publish("Start-up", rows, arguments.json)


if __name__ == "__main__":
    results.run(main)
