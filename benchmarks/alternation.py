"""Times the sides of a comparison in alternation, A B A B, each in a process of its own.

What else the machine does then meets all sides alike, and none shares threads, allocator or flags with another.
"""

import concurrent.futures
import contextlib
import dataclasses
import importlib.util
import multiprocessing
import os
import pkgutil
import statistics
import sys
import time
import unittest.mock
from collections.abc import Callable, Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Side:
    """One way to do the work.

    Attributes:
        name: in tables.
        build: "module:function", called in the side's process with `arguments`; returns a function without
            arguments that does the work once and returns when it is finished.
        arguments: JSON values.
        environment: variables of the side's process.
        requires: an optional package; without it the side is left out.
        flops: floating-point operations of the work, 0 where they do not tell.
    """

    name: str
    build: str
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    requires: str = ""
    flops: float = 0.0


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds of a side's calls: the very first, when nothing is warm, and one in each round."""

    first: float
    wall: tuple[float, ...]
    cpu: tuple[float, ...]  # of all threads of the side's process and of those it has started

    @property
    def median(self) -> float:
        return statistics.median(self.wall)


def alternate(
    sides: Sequence[Side], rounds: int, warm_up: int = 1, at_least: float = 0.5, settle: int = 0
) -> dict[str, Times]:
    """Runs the sides in turn, `rounds` times; sides without their package are left out, saying so.

    Args:
        sides: of different names.
        rounds: turns of each.
        warm_up: untimed calls of each after its first one.
        at_least: seconds of a turn; shorter work is repeated within it, and its mean counts.
        settle: untimed calls at the start of each turn: what a side has freed before it waited, a virtual machine
            gives back to its host, and work that is done again and again does not wait.
    """
    present = installed(sides)
    with contextlib.ExitStack() as stack:
        workers = {side.name: stack.enter_context(worker(side.environment)) for side in present}

        def ask(name: str, function: Callable, *arguments):
            return workers[name].submit(function, *arguments).result()

        for side in present:
            ask(side.name, _build, side)
        first = {name: ask(name, _take_turn, 0.0)[0] for name in workers}
        for name in [*workers] * warm_up:
            ask(name, _take_turn, 0.0)
        turns = [
            {name: ask(name, _take_turn, at_least, settle) for name in workers}
            for _ in range(rounds)
        ]
    return {name: Times(first[name], *zip(*(turn[name] for turn in turns))) for name in workers}


def ratio(numerator: Times, denominator: Times) -> float:
    """The median over the rounds of one side's seconds over another's."""
    return statistics.median(a / b for a, b in zip(numerator.wall, denominator.wall, strict=True))


def installed(sides: Sequence[Side]) -> list[Side]:
    """The sides that can run here; a line on stderr names what the others lack."""
    lacking = [side for side in sides if side.requires and not _importable(side.requires)]
    for side in lacking:
        print(
            f"{side.name} is left out: {side.requires} is not installed; "
            "pip install -r requirements-bench.txt",
            file=sys.stderr,
        )
    return [side for side in sides if side not in lacking]


def worker(environment: Mapping[str, str]) -> concurrent.futures.ProcessPoolExecutor:
    """A fresh interpreter with these variables, a context manager; it sleeps until something is submitted to it."""
    executor = concurrent.futures.ProcessPoolExecutor(
        max_workers=1, mp_context=multiprocessing.get_context("spawn")
    )
    with unittest.mock.patch.dict(os.environ, environment):  # the C library reads it at the start
        executor.submit(os.getpid).result()
    return executor


def call(function: str, arguments: Mapping[str, Any]) -> Any:
    """Calls "module:function"; submitted to a worker, it keeps the module's imports out of this process."""
    return pkgutil.resolve_name(function)(**arguments)


def visible_cores() -> int:
    """Cores that this process may use; every side uses all of them."""
    return len(os.sched_getaffinity(0))


_run: Callable[[], Any]  # of this worker's side


def _build(side: Side) -> None:
    global _run
    _run = call(side.build, side.arguments)


def _take_turn(at_least: float, settle: int = 0) -> tuple[float, float]:
    for _ in range(settle):
        _run()
    start, cpu_start, calls, seconds = time.perf_counter(), _cpu_seconds(), 0, -1.0
    while seconds < at_least:
        _run()
        calls += 1
        seconds = time.perf_counter() - start
    return seconds / calls, (_cpu_seconds() - cpu_start) / calls


def _cpu_seconds() -> float:
    return sum(os.times()[:4])


def _importable(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
