"""The one exception that means "the user can mend this", and how its line names several things."""

from collections.abc import Sequence


class UserError(Exception):
    """A mistake of the user's, told in one line that names the file, key or value and the mend.

    `main.py` prints the line on stderr without a traceback and exits with status 2.
    """


class Interrupted(Exception):
    """A run was asked to stop and has saved its state; `main.py` exits with status 130."""


def some(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
