"""The joints of generated gestures as a TensorFlow data set: no download, no source."""

from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

from vid_jax.input_pipeline.datasets import hand_gestures
from vid_jax.input_pipeline.datasets.hand_gestures import ACTIONS
from vid_jax.input_pipeline.datasets.hand_model import NUM_JOINTS
from vid_jax.input_pipeline.datasets.hand_sequences import gesture_joints, subject_name
from vid_jax.input_pipeline.datasets.source_builder import SourceBuilder
from vid_jax.input_pipeline.joint_records import sequence_features

SUBJECTS = {"train": range(100, 140), "test": range(140, 150)}  # none of those of `hands`
REPETITIONS = 3


class Gestures(SourceBuilder):
    """Joint sequences of a right hand that acts, exact; test subjects are not among the training subjects.

    Args:
        source, bad_frames: ignored; the version stands for what the data are made from.
    """

    VERSION = tfds.core.Version(hand_gestures.VERSION)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"Joints of a generated right hand in {len(ACTIONS)} actions.",
            features=sequence_features(NUM_JOINTS),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(kind="joints"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        return {split: self._generate_examples(split) for split in SUBJECTS}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict]]:
        yield from enumerate(_performances(split))


def _performances(split: str) -> Iterator[dict]:
    for subject in SUBJECTS[split]:
        for number, action in enumerate(ACTIONS):
            for repetition in range(REPETITIONS):
                joints = gesture_joints(subject, action, repetition).astype(np.float32)
                name = subject_name(subject)
                yield {
                    "sequence": f"{name}/{action}/{repetition}",
                    "subject": name,
                    "split": split,
                    "action": number,
                    "frames": np.arange(len(joints)),
                    "joints": joints,
                }
