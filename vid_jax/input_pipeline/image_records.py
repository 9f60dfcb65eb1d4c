"""The records of prepared data sets of photographs: the published bytes, by name."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from vid_jax.input_pipeline.frame_files import BadFrames, decode_image


def image_features() -> tfds.features.FeaturesDict:
    """One photograph a record: its path below the source's folder, and its bytes."""
    return tfds.features.FeaturesDict(
        {"name": tfds.features.Text(), "image": tfds.features.Scalar(np.bytes_)}
    )


def image_examples(
    root: Path, paths: Iterable[Path], bad_frames: BadFrames
) -> Iterator[tuple[str, dict]]:
    """A record of each file that can be decoded."""
    for path in paths:
        data = path.read_bytes()
        if decode_image(data) is None:
            bad_frames.report(f"{path} cannot be decoded")
            continue
        name = path.relative_to(root).as_posix()
        yield name, {"name": name, "image": data}
