"""A folder of photographs as a TensorFlow data set."""

from pathlib import Path

import tensorflow_datasets as tfds

from vid_jax.input_pipeline.datasets.image_files import find_images
from vid_jax.input_pipeline.datasets.source_builder import SourceBuilder
from vid_jax.input_pipeline.datasets.video_files import config_name
from vid_jax.input_pipeline.frame_files import BadFrames
from vid_jax.input_pipeline.image_records import image_examples, image_features


class ImageFolder(SourceBuilder):
    """All images below a folder, in the order of their paths.

    Each source folder is a data set of its own, `image_folder/<folder>_<digest of its path>`.

    Args:
        source: the folder.
    """

    def __init__(self, *, source: Path, **kwargs):
        config = tfds.core.BuilderConfig(name=config_name(source))
        super().__init__(source=source, config=config, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"Images of {self.source}",
            features=image_features(),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(kind="images"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        bad_frames = BadFrames(self.bad_frames)
        yield from image_examples(self.source, find_images(self.source), bad_frames)
        self.info.metadata["left_out"] = bad_frames.count
