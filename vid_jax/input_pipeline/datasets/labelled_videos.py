"""Videos with published labels as TensorFlow data sets: what their builders have in common."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from vid_jax.errors import UserError
from vid_jax.input_pipeline import records
from vid_jax.input_pipeline.datasets.labelled_files import LabelledVideo
from vid_jax.input_pipeline.datasets.source_builder import SourceBuilder
from vid_jax.input_pipeline.datasets.video_scan import Scan, scan_video, video_record
from vid_jax.input_pipeline.frame_files import BadFrames
from vid_jax.input_pipeline.mask_files import read_masks


class LabelledVideosBuilder(SourceBuilder, skip_registration=True):
    """Paths, checksums, times, labels and mask files of videos, which stay where they are.

    A subclass says in `find_videos` where they are.
    """

    def find_videos(self) -> dict[str, list[LabelledVideo]]:
        """Videos of "train" and "test".

        Raises:
            UserError: the source is missing or laid out otherwise.
        """
        raise NotImplementedError

    def _video_info(self, description: str, **published: str) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=description,
            features=records.masked_video_features(),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(kind="videos", source=str(self.source)),
            **published,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        bad_frames = BadFrames(self.bad_frames)
        return {
            split: self._generate_examples(videos, bad_frames)
            for split, videos in self.find_videos().items()
        }

    def _generate_examples(self, videos: Sequence[LabelledVideo], bad_frames: BadFrames):
        yield from enumerate(_records(videos, bad_frames))
        self.info.metadata["left_out"] = bad_frames.count


def _records(videos: Sequence[LabelledVideo], bad_frames: BadFrames) -> Iterator[dict]:
    for index, video in enumerate(videos):
        logging.log_every_n_seconds(logging.INFO, "%d of %d videos read", 10, index, len(videos))
        scan = scan_video(video.path, bad_frames)
        if scan is None:
            continue
        try:
            labels = _labels(video, scan)
        except UserError as error:
            bad_frames.report(str(error))
            continue
        record = video_record(video.name, video.path, scan, labels[scan.numbers - 1])
        yield record | {"masks": str(video.masks or "")}


def _labels(video: LabelledVideo, scan: Scan) -> np.ndarray:
    """Labels (scan.length,) of all frames; the masks are checked against them."""
    if video.masks:
        masks = read_masks(video.masks)
        if len(masks) != scan.length:
            raise UserError(
                f"{video.masks} holds {len(masks)} masks and {video.path} {scan.length} frames; "
                "one of them is damaged: get both again"
            )
        if masks[0].shape != scan.size:
            height, width = masks[0].shape
            raise UserError(
                f"{video.masks}: the masks are {height}x{width} and the frames of {video.path} "
                f"{scan.size[0]}x{scan.size[1]}; get the masks of this video"
            )
        if video.labels is None:
            return np.array([mask.any() for mask in masks], np.int8)
    return video.labels(scan.length)
