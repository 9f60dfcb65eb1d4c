"""Moving MNIST as a TensorFlow data set."""

import cv2
import numpy as np
import tensorflow_datasets as tfds

from vid_jax.input_pipeline import downloads, records
from vid_jax.input_pipeline.datasets import moving_mnist_files
from vid_jax.input_pipeline.datasets.source_builder import SourceBuilder


class MovingMnistFrames(SourceBuilder):
    """Frames of Moving MNIST in the published order, in three splits; no labels.

    TFDS's own `moving_mnist` shuffles the sequences and has a test split alone; this one reads
    the same file.

    Args:
        source: the published array, or its folder; None downloads it.
        bad_frames: of no effect; the array is whole or not used.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Two handwritten digits that move within 64x64 pixels for 20 frames.",
            features=records.frame_features(),
            homepage=moving_mnist_files.HOMEPAGE,
            citation=(
                "N. Srivastava, E. Mansimov, R. Salakhutdinov. "
                "Unsupervised Learning of Video Representations using LSTMs. ICML 2015."
            ),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(kind="frames"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        source = self.source or downloads.fetch(
            dl_manager,
            moving_mnist_files.ARRAY_URL,
            moving_mnist_files.ARRAY_SHA256,
            f"get {moving_mnist_files.ARRAY} from {moving_mnist_files.HOMEPAGE} (cite Srivastava "
            "et al., ICML 2015) and name it or its folder: --config.data.source=FILE_OR_FOLDER",
        )
        sequences = moving_mnist_files.open_sequences(source)
        splits = moving_mnist_files.split_sequences(len(sequences))
        return {split: self._generate_examples(sequences, splits[split]) for split in splits}

    def _generate_examples(self, sequences: np.ndarray, indices: range):
        for index in indices:
            for number, frame in enumerate(sequences[index], start=1):
                yield (
                    (index, number),
                    {
                        "video": f"sequence_{index:05d}",
                        "frame": number,
                        "image": cv2.imencode(".png", frame)[1].tobytes(),
                        "label": -1,
                        "mask": b"",
                    },
                )
