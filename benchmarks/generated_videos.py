"""A folder of noise videos in the layout of one's own videos: data for what main.py does, in a second."""

from pathlib import Path

import cv2
import numpy as np
from ml_collections import ConfigDict

_RATE = 25.0  # frames a second


def use_generated_videos(config: ConfigDict, folder: Path, test_frames: int) -> ConfigDict:
    """The config with generated data in `folder`: two training videos and a test video, half of it abnormal."""
    config = config.copy_and_resolve_references()
    source = folder / "videos"
    size = tuple(config.data.frame_size)
    num_frames = config.data.num_frames
    for name, length in (
        ("train/short", 2 * num_frames),
        ("train/long", 4 * num_frames),
        ("test/test", test_frames),
    ):
        _write_video(source / f"{name}.avi", size, length)
    labels = f"video,start,end\ntest.avi,{test_frames // 2 + 1},{test_frames}\n"
    (source / "labels.csv").write_text(labels)
    config.data.dataset = "videos"
    config.data.source, config.data.dir = str(source), str(folder / "prepared")
    return config


def _write_video(path: Path, size: tuple[int, int], num_frames: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), codec, _RATE, (size[1], size[0]))
    for _ in range(num_frames):
        writer.write(rng.integers(0, 256, (*size, 3), np.uint8))
    writer.release()
