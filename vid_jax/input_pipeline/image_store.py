"""All photographs of a data set, decoded and resized once, in a file that is read without loading it.

`<data dir>/image_store/<data set>-<settings>/` holds `images.bin` (images, height, width, 3) uint8, `names.npy` and
`index.json`.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax.input_pipeline.datasets.image_files import resized
from vid_jax.input_pipeline.frame_files import decode_image
from vid_jax.input_pipeline.stores import open_store, read_rows
from vid_jax.input_pipeline.tensorflow_cpu import tfds
from vid_jax.threads import map_ahead

_LAYOUT = 1  # of the files; another number makes every older store stale


class ImageStore:
    """An open image store.

    Attributes:
        name: of the data set.
        names: (n,) of the images: paths below the data set's folder.
        shape: (n, height, width, 3).
    """

    def __init__(self, folder: Path):
        index = json.loads((folder / "index.json").read_text())
        self.folder = folder
        self.name: str = index["name"]
        self.shape = tuple(index["shape"])
        self.names = np.load(folder / "names.npy")

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Images (len(rows), height, width, 3) uint8."""
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        return read_rows(self.folder / "images.bin", rows, math.prod(self.shape[1:]), images)


def open_image_store(builder: tfds.core.DatasetBuilder, data) -> ImageStore:
    """Opens the image store of a prepared data set, built first where it is missing or stale.

    Args:
        builder: of the data set.
        data: the group of a config.

    Raises:
        UserError: the disk is too small for it.
    """
    total = sum(split.num_examples for split in builder.info.splits.values())
    shape = (total, *data.frame_size, 3)
    folder = open_store(
        builder,
        data,
        "image_store",
        {"frame_size": list(data.frame_size), "layout": _LAYOUT},
        ("images.bin", np.uint8),
        lambda: (math.prod(shape), f"{total:,} images"),
        lambda folder: _write(builder, folder, shape),
    )
    return ImageStore(folder)


def _write(builder, folder: Path, shape: tuple[int, ...]) -> dict:
    """Writes all but the index, and returns what it says of the images."""

    def load(item: tuple[str, bytes]):
        name, image = item
        return name, resized(decode_image(image), shape[1:3])

    names = []
    with open(folder / "images.bin", "wb") as file:
        for row, (name, image) in enumerate(map_ahead(load, _published(builder))):
            file.write(np.ascontiguousarray(image))
            names.append(name)
            logging.log_every_n_seconds(logging.INFO, "%d of %d images stored", 10, row, shape[0])
    np.save(folder / "names.npy", np.array(names))
    return {"shape": shape}


def _published(builder: tfds.core.DatasetBuilder) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every image of all splits, in the published order."""
    read = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    as_published = (
        None if "name" in builder.info.features else {"image": tfds.decode.SkipDecoding()}
    )
    for split in builder.info.splits:
        records = builder.as_dataset(split=split, read_config=read, decoders=as_published)
        for record in records.as_numpy_iterator():
            if as_published:
                name = f"{split}/{record['label']}/{record['image/file_name'].decode()}"
            else:
                name = record["name"].decode()
            yield name, record["image"]
