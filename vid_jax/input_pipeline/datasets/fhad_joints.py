"""The joints of the First-Person Hand Action benchmark as a TensorFlow data set."""

from collections.abc import Iterator

import tensorflow_datasets as tfds

from vid_jax.errors import UserError
from vid_jax.hand_joints import SKELETONS
from vid_jax.input_pipeline.datasets import fhad_files, fhad_joint_files
from vid_jax.input_pipeline.datasets.source_builder import SourceBuilder
from vid_jax.input_pipeline.frame_files import BadFrames
from vid_jax.input_pipeline.joint_records import sequence_features


class FhadJoints(SourceBuilder):
    """Joint sequences of right hands in action: six subjects, 45 actions; one split, "sequences".

    Args:
        source: the folder that holds the annotations and the split file as published.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Six subjects act with 26 objects, seen from the shoulder: the joints of 1,175 sequences.",
            citation=fhad_files.CITATION,
            homepage=fhad_files.HOMEPAGE,
            features=sequence_features(len(SKELETONS["fhad"].joints)),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(kind="joints"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        if not self.source:
            raise UserError(f"fhad_joints is not downloaded: {fhad_joint_files.WANTED}")
        return {"sequences": self._generate_examples(fhad_joint_files.find_root(self.source))}

    def _generate_examples(self, root) -> Iterator[tuple[int, dict]]:
        bad_frames = BadFrames(self.bad_frames)
        yield from enumerate(fhad_joint_files.read_records(root, bad_frames))
        self.info.metadata["left_out"] = bad_frames.count
