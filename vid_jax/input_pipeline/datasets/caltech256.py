"""Caltech-256 as a TensorFlow data set."""

import tensorflow_datasets as tfds

from vid_jax.input_pipeline.datasets.image_files import HOMEPAGE_256, find_caltech256
from vid_jax.input_pipeline.datasets.source_builder import SourceBuilder
from vid_jax.input_pipeline.frame_files import BadFrames
from vid_jax.input_pipeline.image_records import image_examples, image_features


class Caltech256(SourceBuilder):
    """The 30,607 photographs of `256_ObjectCategories/NNN.name/NNN_MMMM.jpg`, in the order of their paths.

    Args:
        source: that folder, or the one that holds it.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Photographs of 256 kinds of objects, and of clutter.",
            features=image_features(),
            homepage=HOMEPAGE_256,
            citation="G. Griffin, A. Holub, P. Perona. Caltech-256 Object Category Dataset. 2007.",
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(kind="images"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        bad_frames = BadFrames(self.bad_frames)
        yield from image_examples(*find_caltech256(self.source), bad_frames)
        self.info.metadata["left_out"] = bad_frames.count
