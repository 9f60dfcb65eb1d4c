"""Windows of consecutive frames in batches: the training stream, and each split once in order."""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Callable, Iterator

import numpy as np
from absl import logging

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_store import FrameStore
from vid_jax.input_pipeline.pseudo_anomalies import PseudoAnomalies
from vid_jax.input_pipeline.streams import (
    Shares,
    StreamInfo,
    evaluation_stream,
    shuffled,
    training_stream,
)
from vid_jax.input_pipeline.tensorflow_cpu import tf


@dataclasses.dataclass(frozen=True)
class Video:
    """Rows [start, start + length) of the frame store."""

    name: str
    start: int
    length: int
    timestamps: np.ndarray | None = None  # (length,) seconds

    def cut(self, begin: int, end: int) -> "Video":
        """Frames [begin, end) of this video."""
        times = None if self.timestamps is None else self.timestamps[begin:end]
        return Video(self.name, self.start + begin, end - begin, times)


@dataclasses.dataclass(frozen=True)
class DatasetInfo(StreamInfo):
    """What there is in a data set, and how it is dealt out."""

    frame_size: tuple[int, int]  # height, width
    channels: int
    num_frames: int  # in a window
    eval_num_frames: int  # in a window of the test split
    videos: dict[str, tuple[Video, ...]]  # by split: train, validation, test
    fingerprint: str

    @property
    def description(self) -> str:
        """What a report's reader should know of the examples."""
        return f"frames of {self.frame_size[0]}x{self.frame_size[1]}"


class VideoWindows:
    """Windows (frames, height, width, channels) uint8 of a frame store.

    The training stream is the concatenation of one permutation of all windows after another; step s
    takes positions s * batch_size to (s + 1) * batch_size - 1 of it, however many samples make an
    epoch. Order, flips and pseudo-anomalies are pure functions of (seed, position). Each process gets
    its contiguous slice of each global batch.

    Args:
        store: the frames.
        config: `seed` and the keys of `data` are read.
        batch_size: windows in a global batch.
        process_index, process_count: JAX's own by default.

    Raises:
        UserError: a video is shorter than a window, there is too little to hold out a validation
            video, or the processes do not divide the batch.
    """

    def __init__(
        self,
        store: FrameStore,
        config,
        batch_size: int,
        process_index: int | None = None,
        process_count: int | None = None,
    ):
        data = config.data
        self._shares = Shares(process_index, process_count)
        self._shares.check(batch_size)
        self._store = store
        self._seed = config.seed
        self._flip_probability = data.flip_probability
        self._pseudo_anomaly_margin = data.pseudo_anomaly_margin
        self._pseudo_anomalies = PseudoAnomalies(
            data.pseudo_anomaly_probability, tuple(data.pseudo_anomaly_steps), data.num_frames
        )

        videos = _split_videos(store, data, config.seed)
        self._windows = {
            split: _window_index(videos[split], _window_starts(split, data)) for split in videos
        }
        self._windows["validation"] = _spread(
            self._windows["validation"], data.validation_sequences
        )
        self.info = DatasetInfo(
            name=store.name,
            frame_size=tuple(data.frame_size),
            channels=data.channels,
            num_frames=data.num_frames,
            eval_num_frames=data.eval_num_frames or data.num_frames,
            videos={split: tuple(videos[split]) for split in videos},
            num_examples={split: len(windows) for split, windows in self._windows.items()},
            samples_per_epoch=data.samples_per_epoch or len(self._windows["train"]),
            batch_size=batch_size,
            fingerprint=store.fingerprint,
        )

    def train_batches(self, start_step: int) -> Iterator[dict[str, np.ndarray]]:
        """This process's batches {"video": (b, t, h, w, c) uint8} from a step on, without end.

        With pseudo-anomalies there is also "target" of the same shape, what the network should make of a window:
        itself, or, of a window that skips frames, that without skipping which begins with the same frame. With a
        margin there is "pseudo_anomaly" (b,) bool instead, whether a window skips frames.
        """
        rows, videos = tf.constant(self._rows("train")), tf.constant(self._ends("train"))

        def place(position):
            window = shuffled(position, len(rows), self._seed)
            flip = tf.random.stateless_uniform((), [self._seed, position])
            return window, flip < self._flip_probability

        def draw(position):
            return tf.random.stateless_uniform((2,), [-1 - self._seed, position])

        def batch(positions):
            windows, flips = tf.map_fn(place, positions, fn_output_signature=(tf.int64, tf.bool))
            starts = tf.gather(rows, windows)
            if not self._pseudo_anomalies.probability:
                return {"video": self._read("train", starts, flips)}
            draws = tf.map_fn(draw, positions, fn_output_signature=tf.float32)
            starts, steps = self._pseudo_anomalies.place(starts, tf.gather(videos, windows), draws)
            video = self._read("train", starts, flips, steps)
            if self._pseudo_anomaly_margin:
                return {"video": video, "pseudo_anomaly": steps > 1}
            return {"video": video, "target": self._read("train", starts, flips)}

        return training_stream(start_step, self.info.batch_size, self._shares, batch)

    def eval_batches(
        self, split: str, batch_size: int | None = None, every: int = 1
    ) -> Iterator[dict[str, np.ndarray]]:
        """Every window of a split once, in order, in batches that are padded to the full size.

        Args:
            split: train, validation or test.
            batch_size: of all processes together; that of training by default.
            every: takes each so-manieth window only.

        Yields:
            This process's slice of "video" (b, t, h, w, c) uint8 with t = `eval_num_frames` in the
            test split and `num_frames` elsewhere, "mask" (b,) float32 that is 0 where a window is
            padding, "video_index" (b,) int32 and "start" (b,) int32, the first frame of the window
            within its video.
        """
        windows, rows = self._windows[split][::every], tf.constant(self._rows(split)[::every])

        def batch(window):
            video_index, start = tf.unstack(tf.gather(windows.astype(np.int32), window), axis=1)
            return {
                "video": self._read(split, tf.gather(rows, window), tf.zeros_like(window, tf.bool)),
                "video_index": video_index,
                "start": start,
            }

        size = batch_size or self.info.batch_size
        return evaluation_stream(len(windows), size, self._shares, batch)

    def frames(self, split: str, video_index: int) -> np.ndarray:
        """Frames (n, h, w, c) uint8 of a video, memory-mapped."""
        return self._store.frames[_rows_of(self.info.videos[split][video_index])]

    def labels(self, split: str, video_index: int) -> np.ndarray | None:
        """Labels (n,) int8 of a video, 1 abnormal, 0 normal; None where it is unlabelled."""
        labels = self._store.labels[_rows_of(self.info.videos[split][video_index])]
        return None if (labels < 0).all() else labels

    def masks(self, split: str, video_index: int) -> np.ndarray | None:
        """Pixel masks (n, height, width) bool at the published size, memory-mapped, or None."""
        return self._store.masks(self.info.videos[split][video_index].start)

    def _rows(self, split: str) -> np.ndarray:
        """The row of the frame store at which each window of a split begins."""
        starts = np.array([video.start for video in self.info.videos[split]])
        video_index, start = self._windows[split].T
        return starts[video_index] + start

    def _ends(self, split: str) -> np.ndarray:
        """The first and the last row of each window's video."""
        ends = [(video.start, video.start + video.length - 1) for video in self.info.videos[split]]
        return np.array(ends)[self._windows[split][:, 0]]

    def _read(self, split: str, rows, flips, *steps):
        num_frames = self.info.eval_num_frames if split == "test" else self.info.num_frames

        def read(rows: np.ndarray, flips: np.ndarray, *steps: np.ndarray) -> np.ndarray:
            windows = self._store.windows(rows, num_frames, *steps)
            windows[flips] = windows[flips, :, :, ::-1]
            return windows

        windows = tf.numpy_function(read, [rows, flips, *steps], tf.uint8, stateful=False)
        shape = (num_frames, *self.info.frame_size, self.info.channels)
        return tf.ensure_shape(windows, (None, *shape))


def _rows_of(video: Video) -> slice:
    return slice(video.start, video.start + video.length)


def _split_videos(store: FrameStore, data, seed: int) -> dict[str, list[Video]]:
    """Videos by split; what validates is held out of the training videos where the store has none."""
    train = _videos(store, "train", data, "num_frames")
    if any(stored.split == "validation" for stored in store.videos):
        validation = _videos(store, "validation", data, "num_frames")
    else:
        train, validation = _hold_out(train, data, seed)
    length_key = "eval_num_frames" if data.eval_num_frames else "num_frames"
    test = _videos(store, "test", data, length_key)
    return {"train": train, "validation": validation, "test": test}


def _videos(store: FrameStore, split: str, data, length_key: str) -> list[Video]:
    """The videos of a split; parts between bad frames that hold no window are left out."""
    videos = []
    for stored in store.videos:
        if stored.split != split:
            continue
        if stored.length < data[length_key]:
            message = f"{store.name} {split}: {stored.name} has {stored.length} frames"
            key = f"config.data.{length_key}={data[length_key]}"
            if data.bad_frames == "error":
                raise UserError(f"{message}, fewer than {key}")
            logging.warning("left out: %s, fewer than %s", message, key)
            continue
        video = Video(stored.name, stored.start, stored.length)
        times = store.timestamps[_rows_of(video)]
        timed = not np.isnan(times).any()
        videos.append(dataclasses.replace(video, timestamps=times) if timed else video)
    if not videos:
        raise UserError(f"{store.name} {split}: no video as long as a window")
    return videos


def _hold_out(videos: list[Video], data, seed: int) -> tuple[list[Video], list[Video]]:
    """Training and validation videos, by `data.validation`.

    "shortest_video" holds out the one with the fewest frames; "fraction" draws whole videos by
    hashes of the seed and their names, which no library's version changes. A single video is cut:
    its end validates, at least a window of it.
    """
    if len(videos) == 1:
        part = data.validation_fraction if data.validation == "fraction" else 0.1
        return _cut_end(videos[0], part, data.num_frames)
    if data.validation == "fraction":
        ranked = sorted(
            videos, key=lambda video: hashlib.sha256(f"{seed}/{video.name}".encode()).digest()
        )
        count = math.ceil(data.validation_fraction * len(videos) - 1e-9)  # 0.07 * 100 exceeds 7
        held_out = ranked[: min(max(count, 1), len(videos) - 1)]
    else:
        held_out = [min(videos, key=lambda video: (video.length, video.name))]
    names = {video.name for video in held_out}
    return (
        [video for video in videos if video.name not in names],
        [video for video in videos if video.name in names],
    )


def _cut_end(video: Video, part: float, num_frames: int) -> tuple[list[Video], list[Video]]:
    split = video.length - max(num_frames, int(video.length * part))
    if split < num_frames:
        raise UserError(
            f"{video.name} is the only training video and has {video.length} frames: too few to "
            f"train on and to hold out windows of config.data.num_frames={num_frames}"
        )
    logging.info("one training video: its last %d frames validate", video.length - split)
    return [video.cut(0, split)], [video.cut(split, video.length)]


def _window_starts(split: str, data) -> Callable[[int], np.ndarray]:
    """The first frames of the windows of a split's video, as a function of its length."""
    if split == "test" and data.eval_num_frames:
        return functools.partial(_covering_starts, data.eval_num_frames, data.eval_overlap)
    return lambda length: np.arange(0, length - data.num_frames + 1, data.stride)


def _covering_starts(num_frames: int, overlap: int, length: int) -> np.ndarray:
    """First frames of windows that cover a video, each beginning `overlap` before the last's end.

    The last window is shifted back to end with the video.
    """
    last = length - num_frames
    return np.append(np.arange(0, last, num_frames - overlap), last)


def _window_index(videos: list[Video], starts_of: Callable[[int], np.ndarray]) -> np.ndarray:
    """(windows, 2): the index of the video and the first frame within it."""
    starts = [starts_of(video.length) for video in videos]
    index = np.repeat(np.arange(len(videos)), [len(s) for s in starts])
    return np.stack([index, np.concatenate(starts)], axis=1)


def _spread(windows: np.ndarray, count: int) -> np.ndarray:
    """So many of the windows, evenly spaced; all of them if `count` is 0."""
    count = min(count or len(windows), len(windows))
    return windows[np.arange(count) * len(windows) // count]
