"""Data sets of photographs by name, and the checks of their keys of `config.data`."""

import operator
from collections.abc import Callable, Sequence

from vid_jax.default_config import seen_size
from vid_jax.input_pipeline.datasets import image_files

# By name, the check of a source's layout from its path and `config.data`; None without a source.
DATASETS: dict[str, Callable | None] = {
    "caltech101": None,
    "caltech256": lambda source, _: image_files.find_caltech256(source),
    "generated_images": None,
    "images": lambda source, _: image_files.find_images(source),
}

_MULTIPLE = 8  # of the sides of an image, which the autoencoder halves three times


def _is_size(size: Sequence[int]) -> bool:
    return len(size) == 2 and min(size) > 0 and not any(side % _MULTIPLE for side in size)


def check_values(data, require: Callable[[bool, str, str], None]) -> None:
    """Requires of each key of `data` what the images and their split need."""
    wanted = f"(height, width), multiples of {_MULTIPLE}"
    require(_is_size(data.frame_size), "frame_size", wanted)
    crop = seen_size(data)
    fits = _is_size(crop) and all(map(operator.le, crop, data.frame_size))
    require(fits, "random_crop", f"{wanted}, within frame_size; or (0, 0) for all of it")
    require(0 < data.validation_fraction < 1, "validation_fraction", "between 0 and 1")
    require(data.samples_per_epoch >= 0, "samples_per_epoch", "at least 1, or 0 for all images")
    require(0 <= data.flip_probability <= 1, "flip_probability", "between 0 and 1")
    if DATASETS[data.dataset] is None:
        wanted = f"empty: {data.dataset} has none; data.dataset=images takes a folder"
        require(not data.source, "source", wanted)
    else:
        require(bool(data.source), "source", "the folder of the images")
