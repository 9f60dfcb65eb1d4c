"""The array of Moving MNIST, as published: two digits that bounce within 64x64 pixels.

`mnist_test_seq.npy` holds (20, 10000, 64, 64) uint8: time, sequence, height, width. Srivastava,
Mansimov and Salakhutdinov, Unsupervised Learning of Video Representations using LSTMs, ICML 2015.
"""

from pathlib import Path

import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.mask_files import load_npy

ARRAY = "mnist_test_seq.npy"
HOMEPAGE = "http://www.cs.toronto.edu/~nitish/unsupervised_video/"
ARRAY_URL = HOMEPAGE + ARRAY
ARRAY_SHA256 = "c2a3e8d3939c001ab77bf543f130157424efa486bb4d0974d2cebb773b13f8b3"


def open_sequences(source: Path) -> np.ndarray:
    """The sequences (n, 20, 64, 64) uint8, memory-mapped, of the array or of its folder.

    Raises:
        UserError: it is not there, damaged, or another array.
    """
    path = source / ARRAY if source.is_dir() else source
    if not path.is_file():
        raise UserError(f"config.data.source: {source} holds no {ARRAY}; get it from {HOMEPAGE}")
    array = load_npy(path, mmap_mode="r")
    shape = array.shape
    if array.dtype != np.uint8 or len(shape) != 4 or (shape[0], *shape[2:]) != (20, 64, 64):
        raise UserError(
            f"{path} holds {array.dtype} {shape}, wanted uint8 (20, 10000, 64, 64): time, "
            "sequence, height, width"
        )
    if shape[1] < 10:
        raise UserError(f"{path} holds {shape[1]} sequences; three splits want at least 10")
    return array.swapaxes(0, 1)


def split_sequences(count: int) -> dict[str, range]:
    """Indices of the sequences by split: the first 80 %, the next 10 % and the last 10 %."""
    train, validation = count * 8 // 10, count * 9 // 10
    return {
        "train": range(train),
        "validation": range(train, validation),
        "test": range(validation, count),
    }
