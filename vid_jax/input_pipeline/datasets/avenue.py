"""CUHK Avenue as a TensorFlow data set."""

from typing import ClassVar

import tensorflow_datasets as tfds

from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets import avenue_files
from vid_jax.input_pipeline.datasets.labelled_files import LabelledVideo
from vid_jax.input_pipeline.datasets.labelled_videos import LabelledVideosBuilder


class Avenue(LabelledVideosBuilder):
    """Videos of CUHK Avenue with their masks, and one of its two sets of frame labels."""

    BUILDER_CONFIGS: ClassVar = [
        tfds.core.BuilderConfig(name="masks", description="Labels from the authors' masks"),
        tfds.core.BuilderConfig(name="ano_pred", description="Labels of Liu et al., CVPR 2018"),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return self._video_info(
            "An avenue of a campus: 16 training and 21 test videos, 360x640; in test videos people "
            "run, throw things, or walk in a wrong direction.",
            homepage=avenue_files.HOMEPAGE,
            citation="C. Lu, J. Shi, J. Jia. Abnormal Event Detection at 150 FPS in MATLAB. ICCV 2013.",
        )

    def find_videos(self) -> dict[str, list[LabelledVideo]]:
        if self.source is None:
            raise UserError(f"config.data.source is empty; {avenue_files.WANTED}")
        return avenue_files.find_videos(self.source, self.builder_config.name)
