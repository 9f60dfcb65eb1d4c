"""The one exception that means "the user can mend this"."""


class UserError(Exception):
    """A mistake of the user's, told in one line that names the file, key or value and the mend.

    `main.py` prints the line on stderr without a traceback and exits with status 2.
    """


class Interrupted(Exception):
    """A run was asked to stop and has saved its state; `main.py` exits with status 130."""
