"""The command line: trains, evaluates and runs the models of vid_jax. README.md shows how."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from vid_jax import logs, workdir_config
from vid_jax.errors import Interrupted, UserError

MODES = {
    "train": ("config", "workdir"),
    "evaluate": ("config", "workdir"),
    "predict": ("config", "workdir", "input", "output"),
    "score": ("input", "truth"),
    "browse": ("config", "output"),
}


def define_flags(argv: Sequence[str]) -> flags.FlagValues:
    """The flags, apart from absl's global ones so that `main` can be called again."""
    values = flags.FlagValues()
    experiment = "Experiment, e.g. configs/memae_ped2.py:cpu; --config.KEY=VALUE sets a key."
    config_flags.DEFINE_config_file("config", None, experiment, flag_values=values, sys_argv=argv)
    flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=values)
    flags.DEFINE_enum("mode", "train", list(MODES), "What to do.", flag_values=values)
    flags.DEFINE_integer("step", None, "Checkpoint; default: the best.", flag_values=values)
    flags.DEFINE_string("input", None, "Videos to predict, or scores.", flag_values=values)
    flags.DEFINE_string("truth", None, "Labels to score against.", flag_values=values)
    flags.DEFINE_string("output", None, "Folder for results.", flag_values=values)
    flags.DEFINE_bool("distributed", False, "One of several processes.", flag_values=values)
    flags.DEFINE_bool("help", False, "Show this help.", short_name="h", flag_values=values)
    return values


def parse_flags(argv: Sequence[str]) -> flags.FlagValues:
    """Parses the command line; without --config the workdir's own is taken.

    Raises:
        UserError: a flag, a key or a value is wrong, or a flag that the mode needs is missing.
    """
    given = list(argv)
    texts = {name: text for name, _, text in (a.lstrip("-").partition("=") for a in given)}
    if "config" in texts:
        path = texts["config"].partition(":")[0]
        if not Path(path).is_file():
            raise UserError(f"--config={path} does not exist; the experiments are in configs/")
    elif Path(texts.get("workdir", ""), "config.json").is_file():
        given.insert(1, f"--config={workdir_config.__file__}:{texts['workdir']}")
    values = define_flags(given)
    try:
        extra = values(given)[1:]
    # Config files and ml_collections raise whatever a wrong key, type or path happens to break.
    except Exception as error:
        message = " ".join(str(error).split()) or repr(error)
        if "Traceback" in message:  # of a config file, whose own words stand last
            message = f"--config={texts['config']}: {re.split(r'[A-Za-z]+Error: ', message)[-1]}"
        raise UserError(message) from error
    if extra:
        raise UserError(f"{extra[0]!r} is not a flag; flags look like --mode=train")
    missing = [f"--{name}" for name in MODES[values.mode] if values[name].value is None]
    if missing and not values.help:
        raise UserError(
            f"--mode={values.mode} needs {' and '.join(missing)}; --help lists all flags"
        )
    return values


def run(values: flags.FlagValues) -> None:
    """Does what the flags say."""
    paths = {name: values[name].value for name in ("workdir", "input", "truth", "output")}
    workdir, source, truth, output = (path and Path(path) for path in paths.values())
    if values.mode == "score":
        from vid_jax import score_lib

        score_lib.run(source, truth, output)
        return

    from vid_jax import commands

    if values.distributed:
        commands.initialize_processes()
    if values.mode == "train":
        commands.train(values.config, workdir)
    elif values.mode == "evaluate":
        commands.evaluate(values.config, workdir, values.step)
    elif values.mode == "predict":
        commands.predict(values.config, workdir, source, output, values.step)
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
    sys.exit(main(sys.argv))
