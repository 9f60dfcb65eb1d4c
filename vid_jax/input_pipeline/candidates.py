"""Candidates for key frames: the sharpest frame of each short window of a video, found in one pass."""

import collections
import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.cuts import CutWatch
from vid_jax.input_pipeline.video_reader import RawFrame, read_frames

_FOLDER_RATE = 25.0  # frames a second of a folder of images, which keeps no times
_LONGEST = 480  # pixels of a candidate's longer side
_ROUNDING = 1e-6  # of a sample or a window; times of frames are rounded

_SURE = 0.5  # strength of a cut that ends a window


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Which frames are looked at."""

    samples_per_second: float = 5.0
    window: float = 1.0  # seconds; shorter where a cut ends it


@dataclasses.dataclass(frozen=True)
class Candidate:
    """The sharpest sample of a window.

    `sharpness` is the variance of the Laplacian, `brightness` and `contrast` are mean and standard deviation, all of
    the grey values 0..255 of `image` (height, width, 3) uint8, which is small.
    """

    number: int  # of the frame; from 1, in a folder that of the file's name
    timestamp: float  # seconds
    sharpness: float
    brightness: float
    contrast: float
    image: np.ndarray


class CandidateStream:
    """Iterates, once, over the candidates of a video file or of a folder of numbered images.

    Holds the samples of a few windows. A window at the end that is not full counts. Frames that cannot be decoded are
    left out and counted.

    Attributes:
        cuts: of all frames so far.
        num_lost: frames that could not be decoded.

    Raises:
        UserError: there is no such file, or no frame of it can be decoded; from the iteration.
    """

    def __init__(self, source: Path, sampling: Sampling):
        self.cuts = CutWatch()
        self.num_lost = 0
        self._source = source
        self._sampling = sampling

    def __iter__(self) -> Iterator[Candidate]:
        windows: collections.deque[list[Candidate]] = collections.deque()
        window = sample = -1
        for frame in read_frames(self._source):
            if frame.image is None:
                self.num_lost += 1
                continue
            time = self._time(frame)
            self.cuts.see(time, frame.glance(), frame.duration or 1 / _FOLDER_RATE)
            passed = time - self.cuts.times[0] + _ROUNDING
            if math.floor(passed * self._sampling.samples_per_second) <= sample:
                continue
            sample = math.floor(passed * self._sampling.samples_per_second)
            if math.floor(passed / self._sampling.window) > window:
                window = math.floor(passed / self._sampling.window)
                windows.append([])
            windows[-1].append(_candidate(frame, time))
            while windows[0][-1].timestamp < self.cuts.decided:
                yield from self._sharpest(windows.popleft())
        if not windows:
            raise UserError(f"{self._source}: none of {self.num_lost} frames can be decoded")
        for samples in windows:
            yield from self._sharpest(samples)

    def _time(self, frame: RawFrame) -> float:
        if frame.timestamp is None:
            return (len(self.cuts.times) + self.num_lost) / _FOLDER_RATE
        return frame.timestamp

    def _sharpest(self, samples: Sequence[Candidate]) -> Iterator[Candidate]:
        """The sharpest sample of a window; of each part of it where it holds a cut."""
        best = samples[0]
        for before, sample in itertools.pairwise(samples):
            if self.cuts.find(before.timestamp, sample.timestamp)[1] >= _SURE:
                yield best
                best = sample
            elif sample.sharpness > best.sharpness:
                best = sample
        yield best


def _candidate(frame: RawFrame, time: float) -> Candidate:
    image = frame.small(_LONGEST)
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    brightness, contrast = (float(value[0, 0]) for value in cv2.meanStdDev(grey))
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    return Candidate(frame.number, time, float(deviation[0, 0]) ** 2, brightness, contrast, image)
