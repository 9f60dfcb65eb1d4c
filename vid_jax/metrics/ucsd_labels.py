"""Frame labels of the UCSD anomaly data sets, as their authors publish them."""

import re
from collections.abc import Sequence

import numpy as np

from vid_jax.errors import UserError

_ASSIGNMENT = re.compile(
    r"^\s*\w+\s*\{.*?\}\s*\.\s*gt_frame\s*=\s*(\[[^\[\]]*\]|[^\[\]]*?)\s*;?\s*$"
)
_RANGE = re.compile(r"(\d+)(?::(\d+))?")
_RANGES = re.compile(r"\s*(?:\d+(?::\d+)?(?:[\s,;]+|$))*")


def parse_ucsd_ranges(text: str, source: str = "the label file") -> list[list[tuple[int, int]]]:
    """Abnormal frame ranges of each test clip from the text of a `UCSDped1.m` or `UCSDped2.m`.

    Args:
        text: MATLAB statements; one line a clip assigns `gt_frame` a bracketed list of ranges,
            `[5:90, 140:200]`. A lone number is a range of one frame, `[]` is no range.
        source: what an error calls the text, usually the file's path.

    Returns:
        For each clip in the order of the lines, its (first, last) ranges, 1-based, inclusive.

    Raises:
        UserError: a line that assigns ranges cannot be read, or no line does.
    """
    clips = []
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.split("%")[0]
        if "gt_frame" not in code:
            continue
        match = _ASSIGNMENT.match(code)
        ranges = re.sub(r"\s*:\s*", ":", match[1].strip("[]")) if match else ""
        if not match or not _RANGES.fullmatch(ranges):
            raise UserError(
                f"{source}, line {number}: cannot read {line.strip()!r}; "
                "expected frame ranges such as [5:90, 140:200]"
            )
        clips.append([(int(a), int(b or a)) for a, b in _RANGE.findall(ranges)])
    if not clips:
        raise UserError(
            f"{source}: no frame ranges found; expected lines such as "
            "TestVideoFile{end+1}.gt_frame = [5:90, 140:200];"
        )
    return clips


def ranges_to_labels(
    ranges: Sequence[tuple[int, int]], num_frames: int, source: str = "the label file"
) -> np.ndarray:
    """Labels (num_frames,) int8, 1 within any of the 1-based inclusive ranges and 0 elsewhere.

    Raises:
        UserError: a range is empty or reaches outside frames 1 to `num_frames`.
    """
    labels = np.zeros(num_frames, np.int8)
    for first, last in ranges:
        if not 1 <= first <= last <= num_frames:
            raise UserError(
                f"{source}: range {first}:{last} does not lie within frames 1:{num_frames}; "
                "check that labels and frames belong together"
            )
        labels[first - 1 : last] = 1
    return labels
