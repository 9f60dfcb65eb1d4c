"""Where messages go: plain lines on the terminal, the same with times in a file.

Of the libraries only warnings are shown; JAX, TFDS and Orbax are chatty. Orbax also warns of every checkpoint
without a metric, which those between validations are.
"""

import contextlib
import logging as python_logging
import sys
from collections.abc import Iterator
from pathlib import Path

from absl import logging
from tqdm import tqdm


class _TerminalHandler(python_logging.Handler):
    """Writes above a progress bar instead of through it."""

    def emit(self, record: python_logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


def to_terminal() -> None:
    """Shows messages on stderr from now on."""
    logging.set_verbosity(logging.INFO)
    logger = logging.get_absl_logger()
    logger.handlers[:] = [_prepared(_TerminalHandler(), "%(message)s")]
    logger.propagate = False


@contextlib.contextmanager
def to_file(path: Path) -> Iterator[None]:
    """Appends messages to a file as well."""
    handler = _prepared(python_logging.FileHandler(path), "%(asctime)s %(message)s")
    logger = logging.get_absl_logger()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def _prepared(handler: python_logging.Handler, line: str) -> python_logging.Handler:
    handler.setFormatter(python_logging.Formatter(line))
    handler.addFilter(_worth_showing)
    return handler


def _worth_showing(record: python_logging.LogRecord) -> bool:
    if Path(__file__).parent in Path(record.pathname).parents:
        return True
    without_metric = "did not provide metrics" in str(record.msg)
    return record.levelno >= python_logging.WARNING and not without_metric
