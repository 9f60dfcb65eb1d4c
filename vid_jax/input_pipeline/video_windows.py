"""Windows of consecutive frames in batches: the training stream, and each split once in order."""

import atexit
import dataclasses
import weakref
from collections.abc import Callable, Iterator
from typing import ClassVar

import jax
import numpy as np
from absl import logging

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_store import FrameStore
from vid_jax.input_pipeline.tensorflow_cpu import tf

_READERS = 4  # batches that are read at the same time


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
class DatasetInfo:
    """What there is in a data set, and how it is dealt out."""

    name: str
    frame_size: tuple[int, int]  # height, width
    channels: int
    num_frames: int  # in a window
    videos: dict[str, tuple[Video, ...]]  # by split: train, validation, test
    num_examples: dict[str, int]  # windows, by split
    batch_size: int  # of all processes together
    fingerprint: str

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.num_examples["train"] // self.batch_size)


class VideoWindows:
    """Windows (num_frames, height, width, channels) uint8 of a frame store.

    The training stream is the concatenation of one permutation of all windows per epoch; step s
    takes positions s * batch_size to (s + 1) * batch_size - 1 of it. Order and flips are pure
    functions of (seed, position). Each process gets its contiguous slice of each global batch.

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
        index = jax.process_index() if process_index is None else process_index
        count = jax.process_count() if process_count is None else process_count
        if batch_size % count:
            raise UserError(
                f"config.train.batch_size={batch_size}: no multiple of {count} processes"
            )
        self._process = index, count
        self._store = store
        self._seed = config.seed
        self._flip_probability = data.flip_probability

        train, validation = _hold_out(_videos(store, "train", data), data.num_frames)
        videos = {"train": train, "validation": validation, "test": _videos(store, "test", data)}
        self._windows = {
            split: _window_index(videos[split], data.num_frames, data.stride) for split in videos
        }
        self.info = DatasetInfo(
            name=store.name,
            frame_size=tuple(data.frame_size),
            channels=data.channels,
            num_frames=data.num_frames,
            videos={split: tuple(videos[split]) for split in videos},
            num_examples={split: len(windows) for split, windows in self._windows.items()},
            batch_size=batch_size,
            fingerprint=store.fingerprint,
        )

    def train_batches(self, start_step: int) -> Iterator[dict[str, np.ndarray]]:
        """This process's batches {"video": (b, t, h, w, c) uint8} from a step on, without end."""
        rows = tf.constant(self._rows("train"))
        local = self._slice(self.info.batch_size)

        def place(position):
            epoch, within = position // len(rows), position % len(rows)
            window = tf.random.experimental.index_shuffle(
                within, [self._seed, epoch], max_index=len(rows) - 1
            )
            draw = tf.random.stateless_uniform((), [self._seed, position])
            return window, draw < self._flip_probability

        def batch(step):
            positions = step * self.info.batch_size + local
            windows, flips = tf.map_fn(place, positions, fn_output_signature=(tf.int64, tf.bool))
            return {"video": self._read(tf.gather(rows, windows), flips)}

        return _Stream(tf.data.Dataset.range(start_step, tf.int64.max), batch)

    def eval_batches(
        self, split: str, batch_size: int | None = None, every: int = 1
    ) -> Iterator[dict[str, np.ndarray]]:
        """Every window of a split once, in order, in batches that are padded to the full size.

        Args:
            split: train, validation or test.
            batch_size: of all processes together; that of training by default.
            every: takes each so-manieth window only.

        Yields:
            This process's slice of "video" (b, t, h, w, c) uint8, "mask" (b,) float32 that is 0
            where a window is padding, "video_index" (b,) int32 and "start" (b,) int32, the first
            frame of the window within its video.
        """
        batch_size = batch_size or self.info.batch_size
        windows, rows = self._windows[split][::every], tf.constant(self._rows(split)[::every])
        local = self._slice(batch_size)
        steps = -(-len(windows) // batch_size)

        def batch(step):
            positions = step * batch_size + local
            window = tf.minimum(positions, len(windows) - 1)
            video_index, start = tf.unstack(tf.gather(windows.astype(np.int32), window), axis=1)
            return {
                "video": self._read(tf.gather(rows, window), tf.zeros_like(window, tf.bool)),
                "mask": tf.cast(positions < len(windows), tf.float32),
                "video_index": video_index,
                "start": start,
            }

        return _Stream(tf.data.Dataset.range(steps), batch)

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

    def _slice(self, batch_size: int) -> np.ndarray:
        """The positions within a global batch that this process reads."""
        index, count = self._process
        return np.arange(batch_size * index // count, batch_size * (index + 1) // count)

    def _rows(self, split: str) -> np.ndarray:
        """The row of the frame store at which each window of a split begins."""
        starts = np.array([video.start for video in self.info.videos[split]])
        video_index, start = self._windows[split].T
        return starts[video_index] + start

    def _read(self, rows, flips):
        def read(rows: np.ndarray, flips: np.ndarray) -> np.ndarray:
            windows = self._store.windows(rows, self.info.num_frames)
            windows[flips] = windows[flips, :, :, ::-1]
            return windows

        windows = tf.numpy_function(read, [rows, flips], tf.uint8, stateful=False)
        shape = (self.info.num_frames, *self.info.frame_size, self.info.channels)
        return tf.ensure_shape(windows, (None, *shape))


class _Stream(Iterator[dict[str, np.ndarray]]):
    """Batches that are read ahead; all are closed before the interpreter goes.

    A reader that still runs then would wait for the interpreter's lock, and the interpreter for it.
    """

    open_streams: ClassVar = weakref.WeakSet()

    def __init__(self, steps: tf.data.Dataset, batch: Callable):
        batches = steps.map(batch, num_parallel_calls=_READERS, deterministic=True)
        self._batches = batches.prefetch(2).as_numpy_iterator()
        self.open_streams.add(self)

    def __next__(self) -> dict[str, np.ndarray]:
        return next(self._batches)

    def close(self) -> None:
        self._batches = iter(())


@atexit.register
def _close_streams() -> None:
    for stream in tuple(_Stream.open_streams):
        stream.close()


def _rows_of(video: Video) -> slice:
    return slice(video.start, video.start + video.length)


def _videos(store: FrameStore, split: str, data) -> list[Video]:
    """The videos of a split; parts between bad frames that hold no window are left out."""
    videos = []
    for stored in store.videos:
        if stored.split != split:
            continue
        if stored.length < data.num_frames:
            message = f"{store.name} {split}: {stored.name} has {stored.length} frames"
            if data.bad_frames == "error":
                raise UserError(f"{message}, fewer than config.data.num_frames={data.num_frames}")
            logging.warning("left out: %s, fewer than a window of %d", message, data.num_frames)
            continue
        video = Video(stored.name, stored.start, stored.length)
        times = store.timestamps[_rows_of(video)]
        timed = not np.isnan(times).any()
        videos.append(dataclasses.replace(video, timestamps=times) if timed else video)
    if not videos:
        raise UserError(f"{store.name} {split}: no video as long as a window")
    return videos


def _hold_out(videos: list[Video], num_frames: int) -> tuple[list[Video], list[Video]]:
    """Training and validation videos: the one with the fewest frames is held out.

    Of a single video it is the last tenth, and at least a window.
    """
    if len(videos) > 1:
        held_out = min(videos, key=lambda video: (video.length, video.name))
        return [video for video in videos if video is not held_out], [held_out]
    (video,) = videos
    split = video.length - max(num_frames, video.length // 10)
    if split < num_frames:
        raise UserError(
            f"{video.name} is the only training video and has {video.length} frames: too few to "
            f"train on and to hold out windows of config.data.num_frames={num_frames}"
        )
    logging.info("one training video: its last %d frames validate", video.length - split)
    return [video.cut(0, split)], [video.cut(split, video.length)]


def _window_index(videos: list[Video], num_frames: int, stride: int) -> np.ndarray:
    """(windows, 2): the index of the video and the first frame within it."""
    starts = [np.arange(0, video.length - num_frames + 1, stride) for video in videos]
    index = np.repeat(np.arange(len(videos)), [len(s) for s in starts])
    return np.stack([index, np.concatenate(starts)], axis=1)
