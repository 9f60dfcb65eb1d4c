"""A folder of one's own videos as a TensorFlow data set."""

import dataclasses
import hashlib
import re
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from vid_jax.errors import UserError
from vid_jax.input_pipeline import records
from vid_jax.input_pipeline.datasets.video_files import LabelFile, find_videos
from vid_jax.input_pipeline.frame_files import BadFrames, list_frames, report_gaps
from vid_jax.input_pipeline.video_reader import RawFrame, read_frames


class VideoFolder(tfds.core.GeneratorBasedBuilder):
    """Paths, checksums, times and labels of the videos in `train/` and `test/` of a folder.

    Each source folder is a data set of its own, `video_folder/<folder>_<digest of its path>`.

    Args:
        source: the folder; may hold `labels.csv`.
        bad_frames: "error", or "skip" to leave out what is damaged.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, *, source: Path, bad_frames: str = "error", **kwargs):
        self.source = source
        self.bad_frames = bad_frames
        slug = re.sub(r"[^A-Za-z0-9]+", "_", source.name)[:40]
        name = f"{slug}_{hashlib.sha256(str(source).encode()).hexdigest()[:8]}"
        super().__init__(config=tfds.core.BuilderConfig(name=name), **kwargs)

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
            try:
                numbers, times, last = _scan(path, bad_frames)
            except UserError as error:
                bad_frames.report(str(error))
                continue
            yield (
                key,
                {
                    "video": name,
                    "path": str(path),
                    "sha256": _checksum(path),
                    "timestamps": np.array(times, np.float64),  # None becomes NaN
                    "labels": labels(name, numbers, times, last),
                },
            )
        self.info.metadata["left_out"] = bad_frames.count


def _normal(video: str, numbers: np.ndarray, times: list, last: int) -> np.ndarray:
    return np.zeros(len(numbers), int)


def _unlabelled(video: str, numbers: np.ndarray, times: list, last: int) -> np.ndarray:
    return np.full(len(numbers), -1)


def _scan(path: Path, bad_frames: BadFrames) -> tuple[np.ndarray, list[float | None], int]:
    """Numbers, counted from 1, and times of the frames that can be decoded; the last number."""
    numbers: list[int] = []
    good: list[RawFrame] = []
    for frame in read_frames(path):
        numbers.append(frame.number)
        if frame.image is None:
            bad_frames.report(f"{path}: frame {frame.number} cannot be decoded")
        else:
            good.append(dataclasses.replace(frame, image=None))
    report_gaps(path, numbers, bad_frames)
    first = numbers[0]
    from_one = np.array([frame.number - first + 1 for frame in good])
    return from_one, [frame.timestamp for frame in good], numbers[-1] - first + 1


def _checksum(path: Path) -> str:
    """SHA-256 of a file, or of all the images of a folder in their order."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else list_frames(path).values():
        with file.open("rb") as opened:
            while chunk := opened.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
