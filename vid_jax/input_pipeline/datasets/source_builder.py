"""TensorFlow data sets that are made from files of the user's: what their builders have in common."""

from pathlib import Path

import tensorflow_datasets as tfds


class SourceBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Knows where a data set comes from and what to do with damaged parts of it.

    Args:
        source: the file or folder; None where there is none, or where the data are prepared already.
        bad_frames: "error", or "skip" to leave out what is damaged.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, *, source: Path | None = None, bad_frames: str = "error", **kwargs):
        self.source = source
        self.bad_frames = bad_frames
        super().__init__(**kwargs)
