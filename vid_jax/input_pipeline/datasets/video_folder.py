"""A folder of one's own videos as a TensorFlow data set."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from vid_jax.input_pipeline import records
from vid_jax.input_pipeline.datasets.source_builder import SourceBuilder
from vid_jax.input_pipeline.datasets.video_files import LabelFile, config_name, find_videos
from vid_jax.input_pipeline.datasets.video_scan import scan_video, video_record
from vid_jax.input_pipeline.frame_files import BadFrames


class VideoFolder(SourceBuilder):
    """Paths, checksums, times and labels of the videos in `train/` and `test/` of a folder.

    Each source folder is a data set of its own, `video_folder/<folder>_<digest of its path>`.

    Args:
        source: the folder; may hold `labels.csv`.
    """

    def __init__(self, *, source: Path, **kwargs):
        config = tfds.core.BuilderConfig(name=config_name(source))
        super().__init__(source=source, config=config, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"Videos of {self.source}",
            features=records.video_features(),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(kind="videos"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        videos = find_videos(self.source)
        label_file = self.source / "labels.csv"
        labels = (
            LabelFile(label_file, list(videos["test"])).labels
            if label_file.exists()
            else _unlabelled
        )
        bad_frames = BadFrames(self.bad_frames)
        return {
            "train": self._generate_examples(videos["train"], _normal, bad_frames),
            "test": self._generate_examples(videos["test"], labels, bad_frames),
        }

    def _generate_examples(self, videos: dict[str, Path], labels, bad_frames: BadFrames):
        for key, (name, path) in enumerate(videos.items()):
            scan = scan_video(path, bad_frames)
            if scan is not None:
                found = labels(name, scan.numbers, scan.times, scan.length)
                yield key, video_record(name, path, scan, found)
        self.info.metadata["left_out"] = bad_frames.count


def _normal(video: str, numbers: np.ndarray, times: list, last: int) -> np.ndarray:
    return np.zeros(len(numbers), int)


def _unlabelled(video: str, numbers: np.ndarray, times: list, last: int) -> np.ndarray:
    return np.full(len(numbers), -1)
