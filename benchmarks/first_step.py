"""Does the work of a side once and says so on the standard output; `startup` starts this script and waits for it.

python -m benchmarks.first_step MODULE:FUNCTION ARGUMENTS_AS_JSON
"""

import json
import pkgutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

DONE = "The first step is done."


def main_py(config: str, folder: str) -> Callable[[], int]:
    """`main.py` in a new workdir in `folder`, up to its first step; what comes after is not waited for."""
    import main
    from vid_jax import hooks
    from vid_jax.allocator import restart_with_huge_pages

    restart_with_huge_pages()
    workdir = tempfile.mkdtemp(dir=folder)
    Path(workdir, "config.json").write_text(config)
    hooks.Progress.on_step = lambda progress, step, loss: print(DONE, flush=True)
    return lambda: main.main(["main.py", f"--workdir={workdir}"])


def main() -> None:
    """Builds the side and runs it."""
    build, arguments = sys.argv[1:]
    pkgutil.resolve_name(build)(**json.loads(arguments))()
    print(DONE, flush=True)


if __name__ == "__main__":
    main()
