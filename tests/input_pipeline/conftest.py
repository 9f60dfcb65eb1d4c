from pathlib import Path

import pytest
from absl import logging
from tiny_data import write_ped

from vid_jax import default_config


@pytest.fixture
def log(caplog):
    """Texts of what is logged."""
    logging.get_absl_logger().propagate = True
    caplog.set_level("INFO", logger="absl")
    return lambda: caplog.text


@pytest.fixture
def config(tmp_path):
    """A configuration of the UCSD Ped2 files that `write_ped` writes."""
    config = default_config.get_config()
    config.seed = 3
    config.data.update(
        dataset="ucsd_ped2",
        source=str(tmp_path / "ped"),
        dir=str(tmp_path / "prepared"),
        frame_size=(6, 8),
        num_frames=4,
    )
    return config


@pytest.fixture
def ped(tmp_path) -> Path:
    return write_ped(tmp_path / "ped")
