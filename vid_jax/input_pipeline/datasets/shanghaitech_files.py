"""The files of ShanghaiTech Campus, as published.

`training/videos/SS_NNN.avi` and `testing/frames/SS_NNNN/NNN.jpg`, with the labels of a test video's
frames in `testing/test_frame_mask/SS_NNNN.npy` and its masks in `testing/test_pixel_mask/`; SS is
the scene. Luo, Liu and Gao, A Revisit of Sparse Coding Based Anomaly Detection in Stacked RNN
Framework, ICCV 2017; Liu, Luo, Lian and Gao, Future Frame Prediction, CVPR 2018.
"""

import functools
import re
from pathlib import Path

import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.labelled_files import (
    LabelledVideo,
    find_folder,
    normal,
    read_frame_labels,
)

SCENES = 13
HOMEPAGE = "https://svip-lab.github.io/dataset/campus_dataset.html"
WANTED = (
    f"get ShanghaiTech Campus from {HOMEPAGE} (cite Luo et al., ICCV 2017, and Liu et al., CVPR "
    "2018), unpack it and name its folder: --config.data.source=FOLDER"
)
_NAME = re.compile(r"(\d\d)_\d+")


def find_videos(source: Path, scene: int) -> dict[str, list[LabelledVideo]]:
    """Videos of "train" and "test"; of a scene from 1 to 13, or of all: 0.

    Videos may be files in `videos/` or folders of images in `frames/`, in both parts.

    Raises:
        UserError: the layout is another, the scene has no videos, or a label or mask file is
            missing.
    """
    root = find_folder(source, "training", "testing")
    if root is None:
        raise UserError(f"config.data.source: {source} holds no training/ and testing/; {WANTED}")
    training = _videos(root / "training", ("videos", "frames"), scene)
    testing = _videos(root / "testing", ("frames", "videos"), scene)
    labels = _truth(root / "testing" / "test_frame_mask", testing, scene)
    masks = [None] * len(testing)
    if (root / "testing" / "test_pixel_mask").is_dir():
        masks = _truth(root / "testing" / "test_pixel_mask", testing, scene)
    return {
        "train": [LabelledVideo(path.stem, path, normal) for path in training],
        "test": [
            LabelledVideo(path.stem, path, functools.partial(_labels, label_file), mask_file)
            for path, label_file, mask_file in zip(testing, labels, masks, strict=True)
        ],
    }


def _videos(part: Path, layouts: tuple[str, str], scene: int) -> list[Path]:
    folder = next((part / layout for layout in layouts if (part / layout).is_dir()), None)
    if folder is None:
        raise UserError(f"{part} holds neither {layouts[0]}/ nor {layouts[1]}/; {WANTED}")
    suffix = ".avi" if folder.name == "videos" else ""
    videos = sorted(path for path in folder.iterdir() if path.suffix == suffix and _scene_of(path))
    if not videos:
        raise UserError(f"{folder} holds no 01_001{suffix}, 01_002{suffix}, ...; {WANTED}")
    of_scene = [path for path in videos if scene in (0, _scene_of(path))]
    if not of_scene:
        scenes = ", ".join(map(str, sorted({_scene_of(path) for path in videos})))
        raise UserError(
            f"config.data.scene={scene}: {folder} holds no video of it, only of {scenes}"
        )
    return of_scene


def _scene_of(path: Path) -> int:
    """The scene by a video's name; 0 where that is not the name of a video."""
    match = _NAME.fullmatch(path.stem)
    return int(match[1]) if match else 0


def _truth(folder: Path, testing: list[Path], scene: int) -> list[Path]:
    """The file of each test video in a folder of labels or masks, and no other file of the scene."""
    files = [folder / f"{path.stem}.npy" for path in testing]
    for file, video in zip(files, testing, strict=True):
        if not file.is_file():
            raise UserError(f"{file} is missing and belongs to {video}; {WANTED}")
    for extra in sorted({*folder.glob("*.npy")} - {*files}):
        if _scene_of(extra) and scene in (0, _scene_of(extra)):
            raise UserError(f"{extra} has no video in {testing[0].parent}; {WANTED}")
    return files


def _labels(path: Path, length: int) -> np.ndarray:
    labels = read_frame_labels(path)
    if len(labels) != length:
        raise UserError(
            f"{path} labels {len(labels)} frames and the video has {length}; one of them is "
            "damaged: get both again"
        )
    return labels
