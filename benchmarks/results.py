"""What a figure prints and writes: a table, JSON, and on which machine with which versions it was measured."""

import argparse
import datetime
import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.alternation import visible_cores
from vid_jax.errors import UserError
from vid_jax.report import Table, format_table

Row = Mapping[str, Any]  # cells by column; lists are for the JSON only

_FEATURES = {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}  # what matrix products run on
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "tensorflow-cpu", "torch")


def argument_parser(description: str, rounds: int = 5) -> argparse.ArgumentParser:
    """The flags that all figures take; `description` is the figure's docstring."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--rounds", type=positive, default=rounds, help="turns of each side")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figure to FILE too")
    return parser


def add_key_clip_workdir(parser: argparse.ArgumentParser) -> None:
    """The flag --workdir of figures of key clips."""
    parser.add_argument(
        "--workdir",
        default="pretrained:keyclip",
        help="trained run or pretrained:NAME; empty: histograms alone",
    )


def positive(text: str) -> int:
    """The type of a flag that counts something."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be a whole number from 1")
    return int(text)


def run(main: Callable[[], None]) -> None:
    """Runs a figure; a user's mistake is one line and exit status 2."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def publish(title: str, rows: Sequence[Row], json_file: Path | None) -> None:
    """Prints the rows as a table under a title, and writes them where asked."""
    machine = environment()
    columns = [name for name, cell in rows[0].items() if not isinstance(cell, list)]
    table = Table(columns, [[row[name] for name in columns] for row in rows])
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    print(
        f"{title}\n{machine['date']}, {machine['cpu']} ({', '.join(machine['cpu_features'])}), "
        f"{machine['cores']} cores, {machine['memory_gb']:.0f} GB\n{versions}\n\n{format_table(table)}\n"
    )
    if json_file:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        figure = {"figure": title, "environment": machine, "rows": list(rows)}
        json_file.write_text(json.dumps(figure, indent=1) + "\n")


def environment() -> dict[str, Any]:
    """Date, machine and versions; packages that are not installed are left out."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "cpu_features": sorted(_FEATURES & set(_cpuinfo("flags").split())),
        "cores": visible_cores(),
        "memory_gb": psutil.virtual_memory().total / 2**30,
        "system": platform.platform(),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _cpuinfo(field: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")
