"""Data sets by name, and the checks of `config.data` that need no TensorFlow."""

import hashlib
import os
from pathlib import Path

from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets import ucsd_files, video_files

DATASETS = ("pedestrians", "ucsd_ped1", "ucsd_ped2", "videos")


def check_source(config) -> None:
    """Checks the keys of `config.data` and that the source, where one is given, looks as it should.

    Raises:
        UserError: an unknown data set, a value out of range, a source missing, empty or laid out
            otherwise.
    """
    data = config.data
    _check_values(data)
    if data.dataset == "videos" and not data.source:
        raise UserError(
            "config.data.source is empty: --config.data.source=FOLDER names the folder that holds "
            "train/ and test/ (docs/your_own_videos.md)"
        )
    if not data.source or data.dataset == "pedestrians":
        return
    source = source_path(data)
    if not source.exists():
        raise UserError(f"config.data.source: {source} does not exist")
    if source.is_dir() and not any(source.iterdir()):
        raise UserError(f"config.data.source: {source} is empty")
    if data.dataset == "videos":
        video_files.find_videos(source)
    elif source.is_dir():
        ucsd_files.find_root(source, data.dataset.removeprefix("ucsd_"))


def _check_values(data) -> None:
    def require(ok: bool, key: str, wanted: str) -> None:
        if not ok:
            raise UserError(f"config.data.{key}={data[key]!r}: must be {wanted}")

    require(data.dataset in DATASETS, "dataset", "one of " + ", ".join(DATASETS))
    require(len(data.frame_size) == 2 and min(data.frame_size) > 0, "frame_size", "(height, width)")
    require(data.channels in (1, 3), "channels", "1 (grey) or 3 (RGB)")
    require(data.num_frames > 0, "num_frames", "at least 1")
    require(data.stride > 0, "stride", "at least 1")
    require(0 <= data.flip_probability <= 1, "flip_probability", "between 0 and 1")
    require(data.bad_frames in ("error", "skip"), "bad_frames", "'error' or 'skip'")
    require(data.validation == "shortest_video", "validation", "'shortest_video'")


def source_path(data) -> Path:
    """The absolute path of `config.data.source`."""
    return Path(data.source).expanduser().absolute()


def data_root(data) -> Path:
    """The folder of prepared data: `config.data.dir`, or else TensorFlow Datasets' own default."""
    default = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    return Path(data.dir or default).expanduser().absolute()


def fingerprint(source: Path) -> str:
    """A digest of the relative paths, sizes and times of change of all files of `source`."""
    files = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    digest = hashlib.sha256()
    for file in files:
        if not file.name.startswith("."):
            stat = file.stat()
            name = file.relative_to(source.parent).as_posix()
            digest.update(f"{name}\t{stat.st_size}\t{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
