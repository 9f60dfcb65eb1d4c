"""The flags of the command line, and what is wrong with them."""

import re
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from vid_jax import pretrained, workdir_config
from vid_jax.errors import UserError

PROTOCOLS = ("anomaly", "pose", "action", "summary")  # of --mode=score, see `vid_jax.scoring`

# The flags that each mode needs.
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
    flags.DEFINE_string(
        "workdir", None, "Folder of the run; or pretrained:NAME.", flag_values=values
    )
    flags.DEFINE_enum("mode", "train", list(MODES), "What to do.", flag_values=values)
    flags.DEFINE_integer("step", None, "Checkpoint; default: the best.", flag_values=values)
    flags.DEFINE_string("input", None, "What to predict on, or predictions.", flag_values=values)
    flags.DEFINE_string("truth", None, "Labels to score against.", flag_values=values)
    flags.DEFINE_string("output", None, "Folder for results.", flag_values=values)
    protocol = "Of scoring; default: as --camera and --truth look."
    flags.DEFINE_enum("protocol", None, PROTOCOLS, protocol, flag_values=values)
    camera = "Of depth maps and poses: nyu, fhad, ... or fx,fy,cx,cy,WIDTHxHEIGHT."
    flags.DEFINE_string("camera", None, camera, flag_values=values)
    flags.DEFINE_enum("coordinates", "uvd", ["uvd", "xyz"], "Of scored poses.", flag_values=values)
    flags.DEFINE_bool("distributed", False, "One of several processes.", flag_values=values)
    flags.DEFINE_bool("help", False, "Show this help.", short_name="h", flag_values=values)
    return values


def parse_flags(argv: Sequence[str]) -> flags.FlagValues:
    """Parses the command line; without --config the workdir's own is taken.

    Raises:
        UserError: a flag, a key or a value is wrong, or a flag that the mode needs is missing.
    """
    given = [_with_folder(argument) for argument in argv]
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
    shipped = any(argument.partition("=")[2].startswith(pretrained.PREFIX) for argument in argv)
    if shipped and values.mode != "predict":
        raise UserError(
            f"--mode={values.mode}: what ships can only predict; name a folder with --workdir"
        )
    if extra:
        raise UserError(f"{extra[0]!r} is not a flag; flags look like --mode=train")
    missing = [f"--{name}" for name in MODES[values.mode] if values[name].value is None]
    if missing and not values.help:
        raise UserError(
            f"--mode={values.mode} needs {' and '.join(missing)}; --help lists all flags"
        )
    return values


def _with_folder(argument: str) -> str:
    """--workdir=pretrained:NAME as the folder that it names; anything else as it is."""
    name, _, value = argument.partition("=")
    return f"{name}={pretrained.folder(value)}" if value.startswith(pretrained.PREFIX) else argument
