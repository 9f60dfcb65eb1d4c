"""A lock on shared files that dies with its process."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from absl import logging


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds the lock file `path`, waiting with one log line where another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logging.info("waiting for another process that prepares data (%s)", path)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
