"""Depth maps of hands with published joints as TensorFlow data sets: what their builders have in common."""

from collections.abc import Iterator
from types import ModuleType
from typing import ClassVar

import tensorflow_datasets as tfds

from vid_jax.errors import UserError
from vid_jax.hand_joints import SKELETONS
from vid_jax.input_pipeline.datasets.source_builder import SourceBuilder
from vid_jax.input_pipeline.frame_files import BadFrames
from vid_jax.input_pipeline.hand_records import hand_features

# TFDS sorts what exceeds 1 GB by keys of 128 bits, in memory, a thousandth of their range at a time: 4,194 records.
_KEY_STEP = 1 << 106


class LabelledHandsBuilder(SourceBuilder, skip_registration=True):
    """Depth maps as published, and labels, in the order of the sequences and frames.

    Attributes:
        files: the reader: `find_root`, `read_records`, `DEPTH_FORMAT`, `HOMEPAGE`, `WANTED`.
        hands: the data set's name in `SKELETONS` and `CAMERAS`.
    """

    files: ClassVar[ModuleType]
    hands: ClassVar[str]

    def _hand_info(self, description: str, citation: str) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=description,
            citation=citation,
            homepage=self.files.HOMEPAGE,
            features=hand_features(len(SKELETONS[self.hands].joints)),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(
                kind="hands",
                depth_format=self.files.DEPTH_FORMAT,
                camera=self.hands,
                skeleton=self.hands,
            ),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        if not self.source:
            raise UserError(f"{self.hands} is not downloaded: {self.files.WANTED}")
        bad_frames = BadFrames(self.bad_frames)
        splits = self.files.read_records(self.files.find_root(self.source), bad_frames)
        return {
            split: self._generate_examples(records, bad_frames) for split, records in splits.items()
        }

    def _generate_examples(self, records: Iterator[dict], bad_frames: BadFrames):
        for number, record in enumerate(records):
            yield number * _KEY_STEP, record
        self.info.metadata["left_out"] = bad_frames.count
