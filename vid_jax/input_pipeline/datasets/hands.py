"""The generated hands as TensorFlow data sets: no download, no source."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from vid_jax.input_pipeline.datasets import hand_gestures, hand_sequences
from vid_jax.input_pipeline.datasets.hand_gestures import ACTIONS
from vid_jax.input_pipeline.datasets.hand_model import NUM_JOINTS
from vid_jax.input_pipeline.datasets.hand_sequences import HandFrame
from vid_jax.input_pipeline.datasets.source_builder import SourceBuilder
from vid_jax.input_pipeline.hand_records import hand_features

CUBE = 200.0  # mm
_AHEAD = 8  # frames that wait to be compressed while the next are rendered

SUBJECTS = {"train": range(40), "test": range(40, 50)}
ACTORS = {"train": range(50, 56), "test": range(56, 59)}


@dataclasses.dataclass(kw_only=True)
class HandsConfig(tfds.core.BuilderConfig):
    """Single poses, or gestures: `per_subject` frames of each subject, or repetitions of each action, by split."""

    subjects: dict[str, range]
    per_subject: dict[str, int]
    gestures: bool = False


class Hands(SourceBuilder):
    """Depth maps of a right hand, in boxes of the image of the camera "hands", with exact joints and centres.

    Subjects of the test split are not among those of the training split.

    Args:
        source, bad_frames: ignored; the version stands for what the data are made from.
    """

    VERSION = tfds.core.Version(hand_sequences.VERSION)
    BUILDER_CONFIGS = (
        HandsConfig(
            name="poses",
            description="Unrelated poses: 20,000 for training, 2,000 for testing.",
            subjects=SUBJECTS,
            per_subject={"train": 500, "test": 200},
        ),
        HandsConfig(
            name="small",
            description="Of each subject of `poses` the first: 4,000 and 500.",
            subjects=SUBJECTS,
            per_subject={"train": 100, "test": 50},
        ),
        HandsConfig(
            name="gestures",
            version=hand_gestures.VERSION,
            description=f"Sequences of {len(ACTIONS)} actions.",
            subjects=ACTORS,
            per_subject={"train": 3, "test": 2},
            gestures=True,
        ),
    )

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Depth maps of a generated right hand: articulated, with noise, holes and a background.",
            features=hand_features(NUM_JOINTS),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(
                kind="hands",
                depth_format="png",
                camera="hands",
                skeleton="hands",
                actions=list(ACTIONS),
            ),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        return {split: self._generate_examples(split) for split in ("train", "test")}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict]]:
        yield from enumerate(_records(self._frames(split), split))

    def _frames(self, split: str) -> Iterator[HandFrame]:
        config = self.builder_config
        subjects, count = config.subjects[split], config.per_subject[split]
        for i, subject in enumerate(subjects):
            logging.log_every_n_seconds(
                logging.INFO, "%s: %d of %d subjects drawn", 10, split, i, len(subjects)
            )
            if config.gestures:
                for action in ACTIONS:
                    for repetition in range(count):
                        yield from hand_sequences.gesture_frames(subject, action, repetition)
            else:
                yield from hand_sequences.pose_frames(subject, count)


def _records(frames: Iterable[HandFrame], split: str) -> Iterator[dict]:
    """Frames are compressed in a thread beside the one that draws them."""
    with ThreadPoolExecutor(1) as thread:
        waiting = collections.deque()
        for frame in frames:
            waiting.append((frame, thread.submit(_png, frame.depth)))
            if len(waiting) > _AHEAD:
                yield _record(*waiting.popleft(), split)
        for frame, png in waiting:
            yield _record(frame, png, split)


def _record(frame: HandFrame, png, split: str) -> dict:
    return {
        "sequence": frame.sequence,
        "subject": frame.subject,
        "frame": frame.frame,
        "action": frame.action,
        "split": split,
        "depth": png.result(),
        "left": frame.box.left,
        "top": frame.box.top,
        "joints": frame.joints.astype(np.float32),
        "com": frame.com.astype(np.float32),
        "cube": CUBE,
    }


def _png(depth: np.ndarray) -> bytes:
    return cv2.imencode(".png", depth, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
