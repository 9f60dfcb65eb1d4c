"""Data sets of video by name, and the checks of their keys of `config.data`."""

from collections.abc import Callable
from pathlib import Path

from vid_jax.default_config import seen_size
from vid_jax.input_pipeline.datasets import (
    avenue_files,
    kitti_files,
    moving_mnist_files,
    repacked_files,
    shanghaitech_files,
    ucsd_files,
    video_files,
)

# By name, the check of a source's layout from its path and `config.data`; None without a source.
DATASETS: dict[str, Callable | None] = {
    "avenue": lambda source, data: avenue_files.find_videos(source, data.labels or "masks"),
    "frames": lambda source, _: repacked_files.find_videos(source),
    "kitti": lambda source, _: kitti_files.find_recordings(source),
    "moving_mnist": lambda source, _: moving_mnist_files.open_sequences(source),
    "pedestrians": None,
    "shanghaitech": lambda source, data: shanghaitech_files.find_videos(source, data.scene),
    "ucsd_ped1": lambda source, _: _check_ucsd(source, "ped1"),
    "ucsd_ped2": lambda source, _: _check_ucsd(source, "ped2"),
    "videos": lambda source, _: video_files.find_videos(source),
}


def check_values(data, require: Callable[[bool, str, str], None]) -> None:
    """Requires of each key of `data` what its data set and the windows need."""
    label_sets = avenue_files.LABEL_SETS if data.dataset == "avenue" else ()
    wanted = " or ".join(label_sets) or f"empty: {data.dataset} has one set of labels"
    require(data.labels in ("", *label_sets), "labels", wanted)
    scenes = shanghaitech_files.SCENES if data.dataset == "shanghaitech" else 0
    wanted = f"0 for all, or 1 to {scenes}" if scenes else "0: only shanghaitech has scenes"
    require(0 <= data.scene <= scenes, "scene", wanted)
    require(len(data.frame_size) == 2 and min(data.frame_size) > 0, "frame_size", "(height, width)")
    require(data.channels in (1, 3), "channels", "1 (grey) or 3 (RGB)")
    require(data.num_frames > 0, "num_frames", "at least 1")
    require(data.stride > 0, "stride", "at least 1")
    require(0 <= data.flip_probability <= 1, "flip_probability", "between 0 and 1")
    crop = seen_size(data)
    fits = len(crop) == 2 and all(0 < side <= whole for side, whole in zip(crop, data.frame_size))
    wanted = "(height, width) within frame_size; or (0, 0) for all of it"
    require(fits, "random_crop", wanted)
    probability = data.pseudo_anomaly_probability
    require(0 <= probability <= 1, "pseudo_anomaly_probability", "between 0 and 1")
    steps = data.pseudo_anomaly_steps
    require(bool(steps) and min(steps) > 1, "pseudo_anomaly_steps", "one or more, each at least 2")
    margin = data.pseudo_anomaly_margin
    wanted = "at least 0; above it only with config.data.pseudo_anomaly_probability"
    require(margin == 0 or (margin > 0 and probability > 0), "pseudo_anomaly_margin", wanted)
    require(data.samples_per_epoch >= 0, "samples_per_epoch", "at least 1, or 0 for all windows")
    require(data.eval_num_frames >= 0, "eval_num_frames", "at least 1, or 0 for num_frames")
    require(
        0 <= data.eval_overlap < max(data.eval_num_frames, 1),
        "eval_overlap",
        "at least 0 and less than config.data.eval_num_frames",
    )
    require(data.resize in ("stretch", "crop"), "resize", "'stretch' or 'crop'")
    choices = ("shortest_video", "fraction")
    require(data.validation in choices, "validation", "'shortest_video' or 'fraction'")
    require(0 < data.validation_fraction < 1, "validation_fraction", "between 0 and 1")
    require(data.validation_sequences >= 0, "validation_sequences", "at least 1, or 0 for all")


def _check_ucsd(source: Path, ped: str) -> None:
    if source.is_dir():  # else an archive
        ucsd_files.find_root(source, ped)
