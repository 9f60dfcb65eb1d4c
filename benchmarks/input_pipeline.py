"""Windows a second that the input pipeline delivers by itself, and the memory it takes.

The store is generated: a sparse file, so that 300,000 frames cost no disk and hardly any time.

    python -m benchmarks.input_pipeline --frame_size 240 360 --batch_size 18
"""

import argparse
import itertools
import json
import math
import os
import tempfile
import time
from pathlib import Path

import ml_collections
import numpy as np

from vid_jax.input_pipeline.frame_store import FrameStore
from vid_jax.input_pipeline.video_windows import VideoWindows


def make_store(folder: Path, num_frames: int, frame_shape: tuple[int, ...]) -> FrameStore:
    """A store of black frames in videos of 300."""
    with open(folder / "frames.bin", "wb") as file:
        file.truncate(num_frames * math.prod(frame_shape))
    np.save(folder / "labels.npy", np.zeros(num_frames, np.int8))
    np.save(folder / "timestamps.npy", np.full(num_frames, np.nan))
    videos = [
        {
            "split": "train" if row else "test",
            "name": f"{row:06d}",
            "start": row,
            "length": min(300, num_frames - row),
        }
        for row in range(0, num_frames, 300)
    ]
    index = {"name": "generated", "fingerprint": "", "videos": videos}
    (folder / "index.json").write_text(json.dumps(index | {"shape": (num_frames, *frame_shape)}))
    return FrameStore(folder)


def resident_bytes() -> int:
    """Memory of this process, pages of mapped files included."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(num_frames: int, frame_size: tuple[int, int], batch_size: int, steps: int) -> dict:
    """Reads `steps` training batches from a generated store of so many frames."""
    data = {"frame_size": frame_size, "channels": 1, "num_frames": 16, "stride": 1}
    data |= {"flip_probability": 0.0, "bad_frames": "error"}
    config = ml_collections.ConfigDict({"seed": 0, "data": data})
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(Path(folder), num_frames, (*frame_size, 1))
        batches = VideoWindows(store, config, batch_size).train_batches(0)
        next(batches)
        before, peak, start = resident_bytes(), 0, time.perf_counter()
        for _ in itertools.islice(batches, steps):
            peak = max(peak, resident_bytes())
        seconds = time.perf_counter() - start
        batches.close()
    return {
        "frames": num_frames,
        "frame_size": list(frame_size),
        "batch_size": batch_size,
        "store_gb": num_frames * math.prod(frame_size) / 1e9,
        "windows_per_second": steps * batch_size / seconds,
        "resident_mb": peak / 1e6,
        "resident_growth_mb": (peak - before) / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frame_size", type=int, nargs=2, action="append", metavar=("H", "W"))
    parser.add_argument("--batch_size", type=int, default=18)
    parser.add_argument("--frames", type=int, nargs="+", default=[4_560, 300_000])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    args = parser.parse_args()
    sizes = args.frame_size or [(128, 128), (240, 360)]
    rows = [
        measure(frames, tuple(size), args.batch_size, args.steps)
        for size, frames in itertools.product(sizes, args.frames)
    ]
    if args.json:
        print(json.dumps(rows, indent=1))
        return
    print("  frames  size      store     windows/s  resident (growth)")
    for row in rows:
        print(
            f"{row['frames']:8,}  {'x'.join(map(str, row['frame_size'])):8s} "
            f"{row['store_gb']:6.2f} GB {row['windows_per_second']:10,.0f}  "
            f"{row['resident_mb']:,.0f} MB ({row['resident_growth_mb']:+,.0f})"
        )


if __name__ == "__main__":
    main()
