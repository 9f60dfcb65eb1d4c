"""A folder of photographs as a TensorFlow data set."""

from pathlib import Path

import tensorflow_datasets as tfds

from vid_jax.input_pipeline.datasets.image_builder import ImageBuilder
from vid_jax.input_pipeline.datasets.image_files import find_images
from vid_jax.input_pipeline.datasets.video_files import config_name
from vid_jax.input_pipeline.frame_files import BadFrames
from vid_jax.input_pipeline.image_records import image_examples


class ImageFolder(ImageBuilder):
    """All images below a folder, in the order of their paths.

    Each source folder is a data set of its own, `image_folder/<folder>_<digest of its path>`.

    Args:
        source: the folder.
    """

    def __init__(self, *, source: Path, **kwargs):
        config = tfds.core.BuilderConfig(name=config_name(source))
        super().__init__(source=source, config=config, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return self._image_info(f"Images of {self.source}")

    def _generate_examples(self):
        bad_frames = BadFrames(self.bad_frames)
        yield from image_examples(self.source, find_images(self.source), bad_frames)
        self.info.metadata["left_out"] = bad_frames.count
