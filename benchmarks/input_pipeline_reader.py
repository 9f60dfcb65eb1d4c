"""Reads windows from a generated frame store: a sparse file, so that 300,000 frames cost neither disk nor time."""

import itertools
import json
import math
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from vid_jax.input_pipeline.frame_store import FrameStore
from vid_jax.input_pipeline.video_windows import VideoWindows

_VIDEO = 300  # frames


def read(config: str, num_frames: int, steps: int) -> tuple[float, int, int]:
    """Windows a second over `steps` training batches of a config in JSON; bytes resident before and at most."""
    config = ConfigDict(json.loads(config))
    batch_size = config.train.batch_size
    frame_shape = (*config.data.frame_size, config.data.channels)
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(Path(folder), num_frames, frame_shape)
        batches = VideoWindows(store, config, batch_size).train_batches(0)
        next(batches)
        before, peak, start = resident_bytes(), 0, time.perf_counter()
        for _ in itertools.islice(batches, steps):
            peak = max(peak, resident_bytes())
        seconds = time.perf_counter() - start
        batches.close()
    return steps * batch_size / seconds, before, peak


def make_store(folder: Path, num_frames: int, frame_shape: tuple[int, ...]) -> FrameStore:
    """A store of black frames in videos of 300; the first is the test video."""
    with open(folder / "frames.bin", "wb") as file:
        file.truncate(num_frames * math.prod(frame_shape))
    np.save(folder / "labels.npy", np.zeros(num_frames, np.int8))
    np.save(folder / "timestamps.npy", np.full(num_frames, np.nan))
    videos = [
        {
            "split": "train" if row else "test",
            "name": f"{row:06d}",
            "start": row,
            "length": min(_VIDEO, num_frames - row),
        }
        for row in range(0, num_frames, _VIDEO)
    ]
    index = {"name": "generated", "fingerprint": "", "videos": videos}
    (folder / "index.json").write_text(json.dumps(index | {"shape": (num_frames, *frame_shape)}))
    return FrameStore(folder)


def resident_bytes() -> int:
    """Memory of this process, pages of mapped files included."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
