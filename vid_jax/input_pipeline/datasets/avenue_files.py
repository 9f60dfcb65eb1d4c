"""The files of CUHK Avenue, as published.

`Avenue Dataset/{training,testing}_videos/NN.avi`, and the masks of test video N in
`ground_truth_demo/testing_label_mask/N_label.mat`. Lu, Shi and Jia, Abnormal Event Detection at 150
FPS in MATLAB, ICCV 2013.
"""

import re
from pathlib import Path

from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.labelled_files import (
    LabelledVideo,
    event_labels,
    find_folder,
    normal,
)

LABEL_SETS = ("masks", "ano_pred")  # the authors'; those that came with Liu et al., CVPR 2018
HOMEPAGE = "http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal/dataset.html"
WANTED = (
    f"get Avenue_Dataset.zip and ground_truth_demo.zip from {HOMEPAGE} (cite Lu et al., ICCV 2013),"
    " unpack both in one folder and name it: --config.data.source=FOLDER"
)


def find_videos(source: Path, label_set: str) -> dict[str, list[LabelledVideo]]:
    """Videos of "train" and "test"; `label_set` is one of `LABEL_SETS`.

    Raises:
        UserError: the layout is another, or a video, a mask file or the label file is missing.
    """
    root = find_folder(source, "training_videos", "testing_videos")
    if root is None:
        raise UserError(
            f"config.data.source: {source} holds no training_videos/ and testing_videos/; {WANTED}"
        )
    training, testing = _videos(root / "training_videos"), _videos(root / "testing_videos")
    masks = _mask_files(source, testing)
    labels = [None] * len(testing)
    if label_set == "ano_pred":
        labels = event_labels(_label_file(source, root), len(testing))
    return {
        "train": [LabelledVideo(path.stem, path, normal) for path in training],
        "test": [
            LabelledVideo(path.stem, path, *truth)
            for path, *truth in zip(testing, labels, masks, strict=True)
        ],
    }


def _videos(folder: Path) -> list[Path]:
    videos = {
        int(path.stem): path
        for path in folder.iterdir()
        if re.fullmatch(r"\d+\.avi", path.name, re.IGNORECASE)
    }
    if not videos:
        raise UserError(f"{folder} holds no 01.avi, 02.avi, ...; unpack the data set again")
    for number in range(1, max(videos)):
        if number not in videos:
            raise UserError(f"{folder / f'{number:02d}.avi'} is missing; unpack the data set again")
    return [videos[number] for number in sorted(videos)]


def _mask_files(source: Path, testing: list[Path]) -> list[Path]:
    base = find_folder(source, "testing_label_mask")
    if base is None:
        raise UserError(f"config.data.source: {source} holds no testing_label_mask/; {WANTED}")
    files = [base / "testing_label_mask" / f"{int(path.stem)}_label.mat" for path in testing]
    for file, video in zip(files, testing, strict=True):
        if not file.is_file():
            raise UserError(f"{file} is missing: the masks of {video}; unpack the data set again")
    if len(extra := sorted({*files[0].parent.glob("[0-9]*_label.mat")} - {*files})):
        raise UserError(f"{extra[0]} has no video in {testing[0].parent}; unpack it again")
    return files


def _label_file(source: Path, root: Path) -> Path:
    for file in (source / "avenue.mat", root / "avenue.mat"):
        if file.is_file():
            return file
    raise UserError(
        f"{source / 'avenue.mat'} is missing: the labels of config.data.labels=ano_pred; get it from "
        "the data of Liu et al. (CVPR 2018; StevenLiuWen/ano_pred_cvpr2018), or leave "
        "config.data.labels at masks"
    )
