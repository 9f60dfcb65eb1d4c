"""The allocator, seen from outside."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from vid_jax.allocator import TUNABLES, return_freed_memory

SCRIPT = """
import os, sys
from vid_jax.allocator import restart_with_huge_pages
print("start", flush=True)
{first}
restart_with_huge_pages()
print(os.environ.get("GLIBC_TUNABLES"), sys.argv[1:], sys.flags.dont_write_bytecode)
"""
pytestmark = pytest.mark.skipif(
    "CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="the C library is not glibc"
)


def run(first="", **environment):
    inherited = {key: value for key, value in os.environ.items() if key not in TUNABLES}
    command = [sys.executable, "-B", "-c", SCRIPT.format(first=first), "--flag=a b"]
    return subprocess.run(
        command, env=inherited | environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_a_process_starts_anew_once_with_its_arguments():
    (tunables,) = TUNABLES.values()
    assert run() == ["start", "start", f"{tunables} ['--flag=a b'] 1"]


def test_what_the_user_has_set_stays():
    mine = "glibc.malloc.check=0"
    assert run(GLIBC_TUNABLES=mine) == ["start", f"{mine} ['--flag=a b'] 1"]


def test_what_is_debugged_goes_on():
    assert run("sys.settrace(lambda *_: None)") == ["start", "None ['--flag=a b'] 1"]


def test_main_py_survives_its_new_start():
    main = Path(__file__).parents[1] / "main.py"
    shown = subprocess.run(
        [sys.executable, main, "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "--workdir" in shown


def test_freed_memory_is_returned():
    """Small blocks are freed one by one, and the last keeps the heap from shrinking by itself."""
    blocks = [bytes(2000) for _ in range(50_000)]
    last = blocks.pop()
    del blocks
    before = psutil.Process().memory_info().rss
    return_freed_memory()
    assert psutil.Process().memory_info().rss < before - 50e6
    assert len(last) == 2000
