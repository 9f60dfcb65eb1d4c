"""What is asked of glibc's allocator: on CPU the temporary memory of a step is allocated anew in every step."""

import ctypes
import os
import sys

TUNABLES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def restart_with_huge_pages() -> None:
    """Replaces this process by itself with an allocator that asks for huge pages.

    It reads its settings once, when a process starts, hence the new start; it takes as long as Python does to begin.
    Where they are set already, under a debugger, or where the C library is not glibc, nothing happens.
    """
    if _is_glibc() and not TUNABLES.keys() & os.environ.keys() and not sys.gettrace():
        os.execve(sys.executable, sys.orig_argv, os.environ | TUNABLES)


def return_freed_memory() -> None:
    """Gives back to the system what the allocator keeps of freed memory; compiling leaves hundreds of megabytes."""
    if _is_glibc():
        ctypes.CDLL(None).malloc_trim(0)


def _is_glibc() -> bool:
    return "CS_GNU_LIBC_VERSION" in os.confstr_names
