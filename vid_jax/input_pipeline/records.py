"""The records of prepared data sets, and the frames that are read from them."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import decode_image
from vid_jax.input_pipeline.mask_files import read_masks
from vid_jax.input_pipeline.tensorflow_cpu import tfds
from vid_jax.input_pipeline.video_reader import read_frames


def frame_features() -> tfds.features.FeaturesDict:
    """One published image a record: its bytes, number from 1, label (-1 unknown) and mask."""
    return tfds.features.FeaturesDict(
        {
            "video": tfds.features.Text(),
            "frame": tfds.features.Scalar(np.int64),
            "image": tfds.features.Scalar(np.bytes_),
            "label": tfds.features.Scalar(np.int64),
            "mask": tfds.features.Scalar(np.bytes_),
        }
    )


def video_features() -> tfds.features.FeaturesDict:
    """One video a record: where it is, its checksum, and the time and label of each frame."""
    return tfds.features.FeaturesDict(
        {
            "video": tfds.features.Text(),
            "path": tfds.features.Text(),
            "sha256": tfds.features.Text(),
            "timestamps": tfds.features.Tensor(shape=(None,), dtype=np.float64),
            "labels": tfds.features.Tensor(shape=(None,), dtype=np.int64),
        }
    )


def masked_video_features() -> tfds.features.FeaturesDict:
    """As `video_features`, and the file of the video's pixel masks, "" where it has none."""
    return tfds.features.FeaturesDict({**video_features(), "masks": tfds.features.Text()})


@dataclasses.dataclass(frozen=True)
class SourceFrame:
    """A frame of a prepared data set before it is decoded and resized."""

    video: str
    number: int  # as published; a jump is a gap that no window may straddle
    image: Callable[[], np.ndarray]  # (height, width[, 3]) uint8
    label: int  # 1 abnormal, 0 normal, -1 unknown
    timestamp: float = np.nan  # seconds, NaN where the source keeps no time
    mask: Callable[[], np.ndarray | None] = lambda: None  # (height, width[, 3]), None without one


def count_frames(builder: tfds.core.DatasetBuilder, split: str) -> int:
    """Number of frames that `iterate_frames` gives."""
    if builder.info.metadata["kind"] == "frames":
        return builder.info.splits[split].num_examples
    return sum(len(record["labels"]) for record in iterate_records(builder, split))


def iterate_frames(builder: tfds.core.DatasetBuilder, split: str) -> Iterator[SourceFrame]:
    """All frames of a split, video by video, in the published order.

    Raises:
        UserError: a video is no longer what it was when the data set was prepared.
    """
    from_record = {"frames": _published_frame, "videos": _frames_of_video}
    for record in iterate_records(builder, split):
        yield from from_record[builder.info.metadata["kind"]](record)


def iterate_records(builder: tfds.core.DatasetBuilder, split: str) -> Iterator[dict]:
    """All records of a split, in the published order."""
    read = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    return builder.as_dataset(split=split, read_config=read).as_numpy_iterator()


def _published_frame(record: dict) -> Iterator[SourceFrame]:
    yield SourceFrame(
        video=record["video"].decode(),
        number=int(record["frame"]),
        image=functools.partial(decode_image, record["image"]),
        label=int(record["label"]),
        mask=functools.partial(decode_image, record["mask"]),
    )


def _frames_of_video(record: dict) -> Iterator[SourceFrame]:
    path = Path(record["path"].decode())
    mask_file = record.get("masks", b"").decode()
    masks = read_masks(Path(mask_file)) if mask_file else None
    known = zip(record["labels"], record["timestamps"], strict=True)
    first = None
    for frame in read_frames(path):
        first = frame.number if first is None else first
        if frame.image is None:
            continue
        label, timestamp = next(known, (None, None))
        if label is None:
            raise UserError(f"{path} has changed while it was read; run again")
        yield SourceFrame(
            video=record["video"].decode(),
            number=frame.number,
            image=frame.image,
            label=int(label),
            timestamp=float(timestamp),
            mask=functools.partial(_item, masks, frame.number - first),
        )
    if next(known, None) is not None:
        raise UserError(f"{path} has changed while it was read; run again")


def _item(masks: Sequence[np.ndarray] | None, index: int) -> np.ndarray | None:
    return None if masks is None else masks[index]
