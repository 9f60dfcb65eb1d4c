"""The config of a workdir in the form of a config file, so that `--config.KEY=VALUE` works on it too."""

from pathlib import Path

from ml_collections import ConfigDict

from vid_jax.workdir import load_config


def get_config(workdir: str) -> ConfigDict:
    """The config that the folder `workdir` was made with."""
    return load_config(Path(workdir))
