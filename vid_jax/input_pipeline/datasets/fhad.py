"""The First-Person Hand Action benchmark as a TensorFlow data set."""

import tensorflow_datasets as tfds

from vid_jax.input_pipeline.datasets import fhad_files
from vid_jax.input_pipeline.datasets.labelled_hands import LabelledHandsBuilder


class Fhad(LabelledHandsBuilder):
    """Depth of right hands in action with 21 joints: six subjects, 45 actions; one split, "frames".

    Args:
        source: the folder that holds the data set as published.
    """

    files = fhad_files
    hands = "fhad"

    def _info(self) -> tfds.core.DatasetInfo:
        return self._hand_info(
            description="Six subjects act with 26 objects, seen from the shoulder, 105,459 frames.",
            citation=fhad_files.CITATION,
        )
