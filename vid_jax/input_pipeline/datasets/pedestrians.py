"""The generated pedestrian scene as a TensorFlow data set: no download, no source."""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import tensorflow_datasets as tfds

from vid_jax.input_pipeline import records
from vid_jax.input_pipeline.datasets import pedestrian_scene
from vid_jax.input_pipeline.datasets.source_builder import SourceBuilder

SEED = 0


class Pedestrians(SourceBuilder):
    """Frames, frame labels and pixel masks of generated videos, in the geometry of UCSD Ped2.

    Args:
        source, bad_frames: ignored; the version stands for what the data are made from.
    """

    VERSION = tfds.core.Version(pedestrian_scene.VERSION)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "People on a walkway between lawns, seen by a fixed camera; in test videos also "
                "cyclists, skaters, runners, wheelchairs, carts and people on the grass."
            ),
            features=records.frame_features(),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(kind="frames"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        return {
            "train": self._generate_examples(pedestrian_scene.TRAIN_LENGTHS),
            "test": self._generate_examples(pedestrian_scene.TEST_LENGTHS),
        }

    def _generate_examples(self, names: Iterable[str]) -> Iterator[tuple[int, dict]]:
        yield from enumerate(record for name in names for record in _records(name))


def _records(name: str) -> Iterator[dict]:
    video = pedestrian_scene.render_video(name, SEED)
    has_masks = name in pedestrian_scene.TEST_LENGTHS
    for number, (frame, label, mask) in enumerate(zip(video.frames, video.labels, video.masks), 1):
        yield {
            "video": name,
            "frame": number,
            "image": _png(frame),
            "label": int(label),
            "mask": _png(mask.astype(np.uint8) * 255) if has_masks else b"",
        }


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
