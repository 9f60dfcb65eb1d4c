"""Huge pages for what the C library allocates: on CPU a step's temporary memory is mapped anew in every step."""

import os
import sys

TUNABLES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def restart_with_huge_pages() -> None:
    """Replaces this process by itself with the C library asking for huge pages.

    It reads its settings once, when a process starts, hence the new start; it takes as long as Python does to begin.
    Where they are set already, or the C library is not glibc, nothing happens.
    """
    if TUNABLES.keys() & os.environ.keys() or "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        return
    os.execve(sys.executable, sys.orig_argv, os.environ | TUNABLES)
