"""Data sets by name, where they are, and the checks of `config.data` that need no TensorFlow."""

import hashlib
import os
from pathlib import Path
from types import ModuleType

from vid_jax.errors import UserError
from vid_jax.input_pipeline import hand_sources, image_sources, joint_sources, video_sources

DATASETS = (
    video_sources.DATASETS | hand_sources.DATASETS | joint_sources.DATASETS | image_sources.DATASETS
)

# What a source holds that has no other name than its folder's.
_PARTS = {
    "frames": "training/frames/ and testing/frames/ (docs/data.md)",
    "videos": "train/ and test/ (docs/your_own_videos.md)",
}


def check_source(config) -> None:
    """Checks the keys of `config.data` and that the source, where one is given, looks as it should.

    Raises:
        UserError: an unknown data set, a value out of range, a source missing, empty or laid out
            otherwise.
    """
    data = config.data
    kind = _kind(data)

    def require(ok: bool, key: str, wanted: str) -> None:
        if not ok:
            raise UserError(f"config.data.{key}={data[key]!r}: must be {wanted}")

    require(data.dataset in kind.DATASETS, "dataset", "one of " + ", ".join(kind.DATASETS))
    kind.check_values(data, require)
    if kind is hand_sources and holds_sequences(data):
        joint_sources.check_lengths(data, require)
        require(data.packing >= 1, "packing", "at least 1")
        require(data.dataset in joint_sources.ACTIONS, "dataset", "a data set of hands that act")
    require(data.bad_frames in ("error", "skip"), "bad_frames", "'error' or 'skip'")
    if data.dataset in _PARTS and not data.source:
        raise UserError(
            "config.data.source is empty: --config.data.source=FOLDER names the folder that holds "
            + _PARTS[data.dataset]
        )
    check_layout = DATASETS[data.dataset]
    if not data.source or not check_layout:
        return
    source = source_path(data)
    if not source.exists():
        raise UserError(f"config.data.source: {source} does not exist")
    if source.is_dir() and not any(source.iterdir()):
        raise UserError(f"config.data.source: {source} is empty")
    check_layout(source, data)


def holds_hands(data) -> bool:
    """Whether a config's data are depth maps of hands."""
    return "crop_size" in data


def holds_sequences(data) -> bool:
    """Whether a config's data are sequences, of joints or of depth maps of hands."""
    return "max_length" in data


def holds_images(data) -> bool:
    """Whether a config's data are photographs."""
    return "split_seed" in data


def _kind(data) -> ModuleType:
    if holds_images(data):
        return image_sources
    if holds_hands(data):
        return hand_sources
    return joint_sources if holds_sequences(data) else video_sources


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
