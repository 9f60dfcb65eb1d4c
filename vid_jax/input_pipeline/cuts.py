"""Where the frames of a video may have been cut, from coarse grey images of all of them, one after another."""

import array
import bisect
import dataclasses

import cv2
import numpy as np

_LEAST = 6.0  # grey levels that a cut is
_AROUND = 4  # frames to either side that it stands out from
_RATIOS = (1.5, 2.5)  # over the largest change around: of no cut, and of one for sure
_FLOOR = 0.5  # grey levels; what a change is not smaller than
_LASTING = 0.6  # seconds; within them the light of a flash is gone
_GONE = 0.5  # of a change


@dataclasses.dataclass
class _Jump:
    place: int
    before: np.ndarray
    lasting: float  # the least difference from `before` so far


class CutWatch:
    """Sees frames in order and keeps two numbers of each.

    A cut is a single large difference that stays; in motion and dissolves differences last, and after a flash the image
    is as it was.

    Attributes:
        times: seconds of the frames seen.
        jumps: (of each) mean absolute difference of coarse grey values, 0..255, from the frame before it.
        end: when the last one ends, seconds.
    """

    def __init__(self):
        self.times = array.array("d")
        self.jumps = array.array("f")
        self.end = 0.0
        self._stays: dict[int, bool] = {}  # by place, of large jumps
        self._open: list[_Jump] = []
        self._before: np.ndarray | None = None

    def see(self, time: float, glance: np.ndarray, duration: float) -> None:
        """The next frame, (height, width) uint8, and for how many seconds it is shown."""
        place = len(self.times)
        jump = self._difference(glance, self._before)
        self._open = [own for own in self._open if time - self.times[own.place] <= _LASTING]
        for own in self._open:
            own.lasting = min(own.lasting, self._difference(glance, own.before))
            self._stays[own.place] = own.lasting > _GONE * self.jumps[own.place]
        if jump > _LEAST and self._ratio(place, jump) > _RATIOS[0]:
            self._open.append(_Jump(place, self._before, np.inf))
            self._stays[place] = True
        self.end = time + duration
        self.times.append(time)
        self.jumps.append(jump)
        self._before = glance

    @property
    def decided(self) -> float:
        """The time up to which later frames change nothing."""
        settled = self.times[max(len(self.times) - 1 - _AROUND, 0)]
        return min(settled, self.times[-1] - _LASTING)

    def find(self, after: float, until: float) -> tuple[float, float]:
        """Of the frames in (after, until] the time of the likeliest to follow a cut, and how surely, from 0 to 1."""
        first = bisect.bisect_right(self.times, after)
        end = bisect.bisect_right(self.times, until)
        if first >= end:
            return until, 0.0
        sure = {place: self._sure(place) for place in range(first, end) if place in self._stays}
        place = max(range(first, end), key=lambda own: (sure.get(own, 0.0), self.jumps[own]))
        return self.times[place], sure.get(place, 0.0)

    def _sure(self, place: int) -> float:
        if not self._stays[place]:
            return 0.0
        low, high = _RATIOS
        ratio = self._ratio(place, self.jumps[place])
        return min(max((ratio - low) / (high - low), 0.0), 1.0)

    def _ratio(self, place: int, jump: float) -> float:
        before = self.jumps[max(place - _AROUND, 1) : place]
        return jump / max([*before, *self.jumps[place + 1 : place + 1 + _AROUND], _FLOOR])

    def _difference(self, glance: np.ndarray, other: np.ndarray | None) -> float:
        if other is None or other.shape != glance.shape:
            return 0.0
        return cv2.norm(glance, other, cv2.NORM_L1) / glance.size
