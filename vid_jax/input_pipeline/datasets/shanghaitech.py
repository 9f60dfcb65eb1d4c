"""ShanghaiTech Campus as a TensorFlow data set."""

import dataclasses
from typing import ClassVar

import tensorflow_datasets as tfds

from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets import shanghaitech_files
from vid_jax.input_pipeline.datasets.labelled_files import LabelledVideo
from vid_jax.input_pipeline.datasets.labelled_videos import LabelledVideosBuilder


@dataclasses.dataclass(eq=False)
class SceneConfig(tfds.core.BuilderConfig):
    """Which scene: 1 to 13, or 0 for all."""

    scene: int = 0


def config_name(scene: int) -> str:
    """The name of the configuration of a scene."""
    return f"scene_{scene:02d}" if scene else "all_scenes"


class Shanghaitech(LabelledVideosBuilder):
    """Videos of ShanghaiTech Campus, of all scenes or of one, with frame labels and masks."""

    BUILDER_CONFIGS: ClassVar = [
        SceneConfig(name=config_name(scene), scene=scene)
        for scene in range(shanghaitech_files.SCENES + 1)
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return self._video_info(
            "Thirteen scenes of a campus, 480x856; in test videos people ride, chase, brawl or push "
            "things where people walk.",
            homepage=shanghaitech_files.HOMEPAGE,
            citation=(
                "W. Luo, W. Liu, S. Gao. A Revisit of Sparse Coding Based Anomaly Detection in "
                "Stacked RNN Framework. ICCV 2017. / W. Liu, W. Luo, D. Lian, S. Gao. Future Frame "
                "Prediction for Anomaly Detection - A New Baseline. CVPR 2018."
            ),
        )

    def find_videos(self) -> dict[str, list[LabelledVideo]]:
        if self.source is None:
            raise UserError(f"config.data.source is empty; {shanghaitech_files.WANTED}")
        return shanghaitech_files.find_videos(self.source, self.builder_config.scene)
