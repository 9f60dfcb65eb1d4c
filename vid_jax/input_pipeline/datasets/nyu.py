"""The NYU hand pose data set as a TensorFlow data set."""

import tensorflow_datasets as tfds

from vid_jax.input_pipeline.datasets import nyu_files
from vid_jax.input_pipeline.datasets.labelled_hands import LabelledHandsBuilder


class Nyu(LabelledHandsBuilder):
    """Depth of hands with the 14 joints that are evaluated; splits "train" and "test".

    Args:
        source: the folder that holds the data set as published.
    """

    files = nyu_files
    hands = "nyu"

    def _info(self) -> tfds.core.DatasetInfo:
        return self._hand_info(
            description="Two subjects before a structured-light camera, 72,757 training and 8,252 test frames.",
            citation=(
                "J. Tompson, M. Stein, Y. LeCun, K. Perlin. Real-Time Continuous Pose Recovery of "
                "Human Hands Using Convolutional Networks. ACM Transactions on Graphics 2014."
            ),
        )
