"""Photographs in folders: where they are, and how they are resized."""

import re
from pathlib import Path

import cv2
import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import IMAGE_SUFFIXES

HOMEPAGE_256 = "https://data.caltech.edu/records/nyy15-4j048"
_FOLDER_256 = "256_ObjectCategories"
_CATEGORY_256 = re.compile(r"\d{3}\..+")


def find_images(source: Path) -> list[Path]:
    """All images below a folder, sorted; hidden ones and other kinds of files are passed over.

    Raises:
        UserError: there are none.
    """
    if not source.is_dir():
        raise UserError(f"config.data.source: {source} is not a folder")
    images = [
        path
        for path in sorted(source.rglob("*"))
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(source).parts)
    ]
    if not images:
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise UserError(f"config.data.source: {source} holds no images ({kinds})")
    return images


def find_caltech256(source: Path) -> tuple[Path, list[Path]]:
    """The folder 256_ObjectCategories, which `source` is or holds, and its images `NNN.name/NNN_MMMM.jpg`.

    Raises:
        UserError: the layout is another.
    """
    for root in (source, source / _FOLDER_256):
        folders = sorted(p for p in root.glob("[0-9][0-9][0-9].*") if p.is_dir())
        if folders:
            break
    else:
        raise UserError(
            f"config.data.source: {source} holds no folders like 001.ak47; get 256_ObjectCategories.tar from "
            f"{HOMEPAGE_256}, unpack it and name its folder, or set config.data.dataset=images"
        )
    images = [path for folder in folders for path in find_images(folder)]
    return root, [path for path in images if _CATEGORY_256.fullmatch(path.parent.name)]


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image (h, w[, 3]) uint8 as RGB (height, width, 3) uint8, stretched, grey repeated.

    A side that shrinks is averaged over, one that grows is interpolated.
    """
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    height, width = size
    for target in ((image.shape[1], height), (width, height)):
        shrinks = target[0] <= image.shape[1] and target[1] <= image.shape[0]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        image = cv2.resize(image, target, interpolation=method)
    return image
