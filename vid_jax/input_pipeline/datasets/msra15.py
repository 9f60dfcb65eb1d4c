"""The MSRA hand gesture database as a TensorFlow data set."""

import tensorflow_datasets as tfds

from vid_jax.input_pipeline.datasets import msra15_files
from vid_jax.input_pipeline.datasets.labelled_hands import LabelledHandsBuilder


class Msra15(LabelledHandsBuilder):
    """Depth of right hands with 21 joints: nine subjects, 17 gestures each; one split, "frames".

    Args:
        source: the folder that holds the data set as published.
    """

    files = msra15_files
    hands = "msra15"

    def _info(self) -> tfds.core.DatasetInfo:
        return self._hand_info(
            description="Nine subjects show 17 gestures to a time-of-flight camera, some 76,000 frames.",
            citation=(
                "X. Sun, Y. Wei, S. Liang, X. Tang, J. Sun. "
                "Cascaded Hand Pose Regression. CVPR 2015."
            ),
        )
