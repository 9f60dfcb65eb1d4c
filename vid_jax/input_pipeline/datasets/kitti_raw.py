"""KITTI's raw recordings as a TensorFlow data set."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from vid_jax.errors import UserError
from vid_jax.input_pipeline import records
from vid_jax.input_pipeline.datasets import kitti_files
from vid_jax.input_pipeline.datasets.source_builder import SourceBuilder
from vid_jax.input_pipeline.datasets.video_scan import scan_video, video_record
from vid_jax.input_pipeline.frame_files import BadFrames


class KittiRaw(SourceBuilder):
    """Paths, checksums and times of KITTI's raw recordings, in the splits of PredNet; no labels.

    Args:
        source: the folder that holds the recordings.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Streets seen from a car, 10 frames a second, some 375x1242.",
            features=records.video_features(),
            homepage=kitti_files.HOMEPAGE,
            citation=(
                "A. Geiger, P. Lenz, C. Stiller, R. Urtasun. "
                "Vision meets Robotics: The KITTI Dataset. IJRR 2013."
            ),
            license="CC BY-NC-SA 3.0",
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(kind="videos", source=str(self.source)),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        if not self.source:
            raise UserError(
                "KITTI's raw recordings are not downloaded: get the synced and rectified data of "
                f"the categories city, residential and road from {kitti_files.HOMEPAGE} (cite "
                "Geiger et al., IJRR 2013) and name their folder: --config.data.source=FOLDER"
            )
        bad_frames = BadFrames(self.bad_frames)
        return {
            split: self._generate_examples(recordings, bad_frames)
            for split, recordings in kitti_files.find_recordings(self.source).items()
        }

    def _generate_examples(self, recordings: dict[str, Path], bad_frames: BadFrames):
        for key, (name, folder) in enumerate(recordings.items()):
            scan = scan_video(folder / "data", bad_frames)
            if scan is None:
                continue
            times = _times(folder / "timestamps.txt", scan.length, bad_frames)
            scan = dataclasses.replace(scan, times=times[scan.numbers - 1].tolist())
            unlabelled = np.full(len(scan.numbers), -1)
            yield key, video_record(name, folder / "data", scan, unlabelled)
        self.info.metadata["left_out"] = bad_frames.count


def _times(file: Path, length: int, bad_frames: BadFrames) -> np.ndarray:
    """Seconds (length,) of a recording's frames; NaN where it comes without them."""
    if file.is_file():
        times = kitti_files.read_times(file)
        if len(times) == length:
            return times
        bad_frames.report(f"{file} has {len(times)} times and data/ beside it {length} frames")
    return np.full(length, np.nan)
