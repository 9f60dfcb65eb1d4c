"""Caltech-101, by the builder of TensorFlow Datasets."""

from pathlib import Path

import tensorflow_datasets as tfds


def caltech101(*, source: None, bad_frames: str, data_dir: Path) -> tfds.core.DatasetBuilder:
    """The builder, with its own splits and records.

    Args:
        source, bad_frames: ignored; the builder downloads the published archive.
        data_dir: where it is kept.
    """
    return tfds.builder("caltech101", data_dir=data_dir)
