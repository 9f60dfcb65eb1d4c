"""Runs all figures one after another, each in its own process, and keeps what they write.

python -m benchmarks --folder=benchmarks/results --rounds=5
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.results import positive

FIGURES = (
    "train_step",
    "scoring",
    "memory",
    "startup",
    "scaling",
    "evaluation",
    "input_pipeline",
    "generated_hands",
    "generated_gestures",
    "action_training",
    "hand_pipeline",
    "extraction",
    "extraction_memory",
)


def main() -> int:
    """Returns the exit status: 0 where every figure was measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument(
        "--rounds", type=positive, help="turns of each side; default: the figure's own"
    )
    arguments = parser.parse_args()
    rounds = [f"--rounds={arguments.rounds}"] if arguments.rounds else []
    failed = []
    for name in FIGURES:
        command = [sys.executable, "-m", f"benchmarks.{name}", *rounds]
        if subprocess.run([*command, f"--json={arguments.folder / name}.json"]).returncode:
            failed.append(name)
    if failed:
        print(f"error: not measured: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
