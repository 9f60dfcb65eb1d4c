"""Caltech-256 as a TensorFlow data set."""

import tensorflow_datasets as tfds

from vid_jax.input_pipeline.datasets.image_builder import ImageBuilder
from vid_jax.input_pipeline.datasets.image_files import HOMEPAGE_256, find_caltech256
from vid_jax.input_pipeline.frame_files import BadFrames
from vid_jax.input_pipeline.image_records import image_examples


class Caltech256(ImageBuilder):
    """The 30,607 photographs of `256_ObjectCategories/NNN.name/NNN_MMMM.jpg`, in the order of their paths.

    Args:
        source: that folder, or the one that holds it.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return self._image_info(
            "Photographs of 256 kinds of objects, and of clutter.",
            homepage=HOMEPAGE_256,
            citation="G. Griffin, A. Holub, P. Perona. Caltech-256 Object Category Dataset. 2007.",
        )

    def _generate_examples(self):
        bad_frames = BadFrames(self.bad_frames)
        yield from image_examples(*find_caltech256(self.source), bad_frames)
        self.info.metadata["left_out"] = bad_frames.count
