"""Images as TensorFlow data sets: what their builders have in common."""

import tensorflow_datasets as tfds

from vid_jax.input_pipeline.datasets.source_builder import SourceBuilder
from vid_jax.input_pipeline.image_records import image_features


class ImageBuilder(SourceBuilder, skip_registration=True):
    """Images in one split, "train", in the order in which `_generate_examples` gives them."""

    def _image_info(self, description: str, **facts: str) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=description,
            features=image_features(),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(kind="images"),
            **facts,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        return {"train": self._generate_examples()}
