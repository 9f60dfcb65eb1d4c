from pathlib import Path

import ml_collections
import pytest
from absl import logging
from tiny_data import write_ped


@pytest.fixture
def log(caplog):
    """Texts of what is logged."""
    logging.get_absl_logger().propagate = True
    caplog.set_level("INFO", logger="absl")
    return lambda: caplog.text


@pytest.fixture
def config(tmp_path):
    """A configuration of the UCSD Ped2 files that `write_ped` writes."""
    return ml_collections.ConfigDict(
        {
            "seed": 3,
            "data": {
                "dataset": "ucsd_ped2",
                "source": str(tmp_path / "ped"),
                "dir": str(tmp_path / "prepared"),
                "frame_size": (6, 8),
                "channels": 1,
                "num_frames": 4,
                "stride": 1,
                "flip_probability": 0.0,
                "bad_frames": "error",
                "validation": "shortest_video",
            },
        }
    )


@pytest.fixture
def ped(tmp_path) -> Path:
    return write_ped(tmp_path / "ped")
