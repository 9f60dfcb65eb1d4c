"""The records of prepared data sets of hands in depth maps."""

import numpy as np
import tensorflow_datasets as tfds


def hand_features(joints: int) -> tfds.features.FeaturesDict:
    """One depth map a record, as published, with its labels.

    `depth` holds the bytes of the published file, in the builder's `depth_format` (`depth_files.DECODERS`); `left` and
    `top` are the pixel of the camera's image where it begins (generated hands are stored as boxes). `frame` is the
    number in the file's name. `joints` are in mm, x right, y down, z away. `com` is the centre of the hand's surface
    where it is known exactly, else NaN. `cube` is the edge in mm of the cube that the data set's authors or users crop;
    `action` is -1 and `split` "" where the data set publishes none.
    """
    scalar = tfds.features.Scalar
    return tfds.features.FeaturesDict(
        {
            "sequence": tfds.features.Text(),
            "subject": tfds.features.Text(),
            "frame": scalar(np.int64),
            "action": scalar(np.int64),
            "split": tfds.features.Text(),
            "depth": scalar(np.bytes_),
            "left": scalar(np.int64),
            "top": scalar(np.int64),
            "joints": tfds.features.Tensor(shape=(joints, 3), dtype=np.float32),
            "com": tfds.features.Tensor(shape=(3,), dtype=np.float32),
            "cube": scalar(np.float32),
        }
    )
