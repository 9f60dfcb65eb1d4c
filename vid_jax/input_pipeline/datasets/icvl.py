"""The ICVL hand posture data set as a TensorFlow data set."""

import tensorflow_datasets as tfds

from vid_jax.input_pipeline.datasets import icvl_files
from vid_jax.input_pipeline.datasets.labelled_hands import LabelledHandsBuilder


class Icvl(LabelledHandsBuilder):
    """Depth of right hands with 16 joints, as recorded, not turned; splits "train" and "test".

    Args:
        source: the folder that holds the data set as published.
    """

    files = icvl_files
    hands = "icvl"

    def _info(self) -> tfds.core.DatasetInfo:
        return self._hand_info(
            description="Ten subjects before a time-of-flight camera, two test sequences.",
            citation=(
                "D. Tang, H. J. Chang, A. Tejani, T.-K. Kim. Latent Regression Forest: Structured "
                "Estimation of 3D Articulated Hand Posture. CVPR 2014."
            ),
        )
