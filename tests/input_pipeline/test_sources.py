import subprocess
import sys

import pytest

from vid_jax.errors import UserError
from vid_jax.input_pipeline import check_source


def test_what_is_well_passes(ped, config):
    check_source(config)
    config.data.source = ""
    check_source(config)
    config.data.dataset = "pedestrians"
    check_source(config)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dataset", "ucsd_ped3", "must be one of .*ucsd_ped1, ucsd_ped2, videos"),
        ("frame_size", (0, 8), r"frame_size=\(0, 8\): must be \(height, width\)"),
        ("channels", 2, r"channels=2: must be 1 \(grey\) or 3"),
        ("num_frames", 0, "num_frames=0: must be at least 1"),
        ("stride", 0, "stride=0: must be at least 1"),
        ("flip_probability", 1.5, "flip_probability=1.5: must be between 0 and 1"),
        (
            "random_crop",
            (6, 9),
            r"random_crop=\(6, 9\): must be \(height, width\) within frame_size",
        ),
        (
            "random_crop",
            (0, 8),
            r"random_crop=\(0, 8\): must be \(height, width\) within frame_size",
        ),
        ("pseudo_anomaly_probability", -0.1, "pseudo_anomaly_probability=-0.1: must be between 0"),
        ("pseudo_anomaly_steps", (1, 2), "pseudo_anomaly_steps=.*: must be one or more, each at"),
        ("pseudo_anomaly_steps", (), "pseudo_anomaly_steps=.*: must be one or more, each at"),
        ("pseudo_anomaly_margin", -1.0, "pseudo_anomaly_margin=-1.0: must be at least 0"),
        (
            "pseudo_anomaly_margin",
            1.0,
            r"margin=1.0: must be .* only with config.data.pseudo_anomaly_probability",
        ),
        ("bad_frames", "ignore", "bad_frames='ignore': must be 'error' or 'skip'"),
        ("samples_per_epoch", -1, "samples_per_epoch=-1: must be at least 1, or 0 for all"),
        ("eval_num_frames", -1, "eval_num_frames=-1: must be at least 1, or 0 for num_frames"),
        ("eval_overlap", 1, "eval_overlap=1: must be .* less than config.data.eval_num_frames"),
        ("eval_overlap", -1, "eval_overlap=-1: must be at least 0"),
        ("resize", "pad", "resize='pad': must be 'stretch' or 'crop'"),
        ("validation", "none", "validation='none': must be 'shortest_video' or 'fraction'"),
        ("validation_fraction", 1.0, "validation_fraction=1.0: must be between 0 and 1"),
        ("validation_sequences", -1, "validation_sequences=-1: must be at least 1, or 0 for all"),
        ("source", "/nowhere/at/all", "data.source: /nowhere/at/all does not exist"),
    ],
)
def test_values_that_cannot_be(ped, config, key, value, message):
    config.data[key] = value
    with pytest.raises(UserError, match=message):
        check_source(config)


def test_sources_that_are_empty_or_laid_out_otherwise(tmp_path, config):
    empty = tmp_path / "empty"
    empty.mkdir()
    for dataset in ("ucsd_ped2", "videos"):
        config.data.update(dataset=dataset, source=str(empty))
        with pytest.raises(UserError, match="empty is empty"):
            check_source(config)
    config.data.source = ""
    with pytest.raises(UserError, match=r"--config\.data\.source=FOLDER names the folder"):
        check_source(config)
    (empty / "walk").mkdir()
    config.data.update(dataset="ucsd_ped2", source=str(empty))
    with pytest.raises(UserError, match="holds neither Train/ and Test/"):
        check_source(config)
    config.data.dataset = "videos"
    with pytest.raises(UserError, match=r"holds no folder train/"):
        check_source(config)


def test_the_checks_do_not_import_tensorflow():
    code = "import sys, vid_jax.input_pipeline; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
