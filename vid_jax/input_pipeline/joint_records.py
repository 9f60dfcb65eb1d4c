"""The records of prepared data sets of joint sequences, and all of them in memory."""

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from vid_jax.errors import UserError
from vid_jax.input_pipeline.records import iterate_records

NAMES = ("sequence", "subject", "split")  # of the fields that are text


def sequence_features(joints: int) -> tfds.features.FeaturesDict:
    """One performance of an action a record: its joints in mm in the camera's frame, and the numbers of its frames.

    `action` is -1 and `split` "" where the data set publishes none.
    """
    return tfds.features.FeaturesDict(
        {
            **{name: tfds.features.Text() for name in NAMES},
            "action": tfds.features.Scalar(np.int64),
            "frames": tfds.features.Tensor(shape=(None,), dtype=np.int64),
            "joints": tfds.features.Tensor(shape=(None, joints, 3), dtype=np.float32),
        }
    )


@dataclasses.dataclass(frozen=True)
class JointStore:
    """All sequences of a data set.

    Attributes:
        name: of the data set.
        joints: (frames, j, 3) float32 mm, of one sequence after another.
        starts: (n + 1,) int64, where each sequence begins in `joints`, and the end.
        fields: arrays (n,): sequence, subject, split, action.
    """

    name: str
    joints: np.ndarray
    starts: np.ndarray
    fields: dict[str, np.ndarray]


def read_joints(builder: tfds.core.DatasetBuilder) -> JointStore:
    """The sequences of all splits of a prepared data set, in the published order.

    Raises:
        UserError: a sequence has no frames.
    """
    records = [r for split in builder.info.splits for r in iterate_records(builder, split)]
    lengths = np.array([len(record["joints"]) for record in records])
    for record in records:
        if not len(record["joints"]):
            raise UserError(f"{builder.name}: {record['sequence'].decode()} has no frames")
    fields = {name: np.array([record[name].decode() for record in records]) for name in NAMES}
    return JointStore(
        name=builder.name,
        joints=np.concatenate([record["joints"] for record in records]),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        fields=fields | {"action": np.array([record["action"] for record in records])},
    )
