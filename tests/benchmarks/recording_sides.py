"""Sides that leave traces, for workers to import."""

import os
import sys
from collections.abc import Callable
from pathlib import Path


def record(path: str, name: str) -> Callable[[], None]:
    """Appends a line to a file at every call: name, process, and the variable MARK."""

    def run():
        with Path(path).open("a") as file:
            print(name, os.getpid(), os.environ.get("MARK", "-"), file=file)

    return run


def fail() -> Callable[[], None]:
    """Fails when it is built."""
    raise ValueError("this side is broken")


def is_imported(package: str) -> bool:
    """Whether this process has imported a package."""
    return package in sys.modules
