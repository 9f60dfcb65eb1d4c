"""Files that hold the pixel masks of all frames of a video."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vid_jax.errors import UserError
from vid_jax.mat_files import read_cells


def read_masks(path: Path) -> Sequence[np.ndarray]:
    """Masks (height, width) of a video's frames, abnormal where not 0; those of a .npy memory-mapped.

    A `.npy` holds (frames, height, width); a `.mat` the cell array `volLabel`, a cell a frame.

    Raises:
        UserError: the file is missing, cannot be read, or holds something else.
    """
    masks = read_cells(path, "volLabel") if path.suffix == ".mat" else load_npy(path, mmap_mode="r")
    if len({mask.shape for mask in masks}) > 1 or masks[0].ndim != 2:
        raise UserError(f"{path} does not hold one mask (height, width) for each frame")
    return masks


def load_npy(path: Path, mmap_mode: str | None = None) -> np.ndarray:
    """The array of numbers in a `.npy` file.

    Raises:
        UserError: the file is missing, cannot be read, is empty or holds something else.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing")
    try:
        array = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read as a .npy file; get it again") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf" or not array.size:
        raise UserError(f"{path} does not hold an array of numbers; get it again")
    return array
