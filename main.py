"""The command line: trains, evaluates and runs the models of vid_jax. README.md shows how."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from vid_jax import logs
from vid_jax.allocator import restart_with_huge_pages
from vid_jax.command_line import parse_flags
from vid_jax.errors import Interrupted, UserError


def run(values: flags.FlagValues) -> None:
    """Does what the flags say."""
    paths = (values[name].value for name in ("workdir", "input", "truth", "output"))
    workdir, source, truth, output = (None if path is None else Path(path) for path in paths)
    if values.mode == "score":  # without JAX
        from vid_jax import scoring

        scoring.run(values.protocol, source, truth, output, values.camera, values.coordinates)
        return

    from vid_jax import commands

    if values.distributed:
        commands.initialize_processes()
    if values.mode == "train":
        commands.train(values.config, workdir)
    elif values.mode == "evaluate":
        commands.evaluate(values.config, workdir, values.step)
    elif values.mode == "predict":
        commands.predict(values.config, workdir, source, output, values.step, values.camera)
    else:
        commands.browse(values.config, output)


def main(argv: Sequence[str]) -> int:
    """Runs one command; returns the exit status."""
    # TensorFlow only feeds data; it reads these when it is imported, which is later.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    logs.to_terminal()
    try:
        values = parse_flags(argv)
        if values.help:
            print(values.get_help())
        else:
            run(values)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    restart_with_huge_pages()
    sys.exit(main(sys.argv))
