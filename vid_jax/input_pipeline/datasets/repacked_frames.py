"""A folder of frames and labels in the layout of Liu et al. (CVPR 2018) as a TensorFlow data set."""

from pathlib import Path

import tensorflow_datasets as tfds

from vid_jax.input_pipeline.datasets import repacked_files
from vid_jax.input_pipeline.datasets.labelled_files import LabelledVideo
from vid_jax.input_pipeline.datasets.labelled_videos import LabelledVideosBuilder
from vid_jax.input_pipeline.datasets.video_files import config_name


class RepackedFrames(LabelledVideosBuilder):
    """Folders of frames in `training/frames/` and `testing/frames/`, with labels and masks.

    Each source folder is a data set of its own, `repacked_frames/<folder>_<digest of its path>`.
    """

    def __init__(self, *, source: Path, **kwargs):
        config = tfds.core.BuilderConfig(name=config_name(source))
        super().__init__(source=source, config=config, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return self._video_info(f"Frames of {self.source}")

    def find_videos(self) -> dict[str, list[LabelledVideo]]:
        return repacked_files.find_videos(self.source)
