import numpy as np
import pytest

from vid_jax.errors import UserError
from vid_jax.metrics.ucsd_labels import parse_ucsd_ranges, ranges_to_labels

PED1 = (
    "60:152 | 50:175 | 91:200 | 31:168 | 5:90,140:200 | 1:100,110:200 | 1:175 | 1:94 | 1:48 | 1:140"
    " | 70:165 | 130:200 | 1:156 | 1:200 | 138:200 | 123:200 | 1:47 | 54:120 | 64:138 | 45:175"
    " | 31:200 | 16:107 | 8:165 | 50:171 | 40:135 | 77:144 | 10:122 | 105:200 | 1:15,45:113"
    " | 175:200 | 1:180 | 1:52,65:115 | 5:165 | 1:121 | 86:200 | 15:108"
)
PED1_LENGTHS = [200] * 36
PED2 = (
    "61:180 | 95:180 | 1:146 | 31:180 | 1:129 | 1:159 | 46:180 | 1:180 | 1:120 | 1:150 | 1:180"
    " | 88:180"
)
PED2_LENGTHS = [180, 180, 150, 180, 150, 180, 180, 180, 120, 150, 180, 180]


def as_matlab(table: str) -> str:
    lines = [f"TestVideoFile{{end+1}}.gt_frame = [{r.strip()}];" for r in table.split("|")]
    return "\n".join(["TestVideoFile = {};", *lines, ""])


def labels_of(table: str, lengths: list[int]) -> list[np.ndarray]:
    clips = parse_ucsd_ranges(as_matlab(table))
    return [ranges_to_labels(r, n) for r, n in zip(clips, lengths, strict=True)]


def test_ped2_counts():
    labels = labels_of(PED2, PED2_LENGTHS)
    assert sum(map(len, labels)) == 2010
    assert sum(int(x.sum()) for x in labels) == 1648
    cut = [x[8:-7] for x in labels]
    assert sum(map(len, cut)) == 1830
    assert sum(int(x.sum()) for x in cut) == 1526


def test_ped1_counts_with_several_ranges_a_line():
    labels = labels_of(PED1, PED1_LENGTHS)
    assert sum(map(len, labels)) == 7200
    assert sum(int(x.sum()) for x in labels) == 4045


def test_several_ranges_on_a_line():
    assert parse_ucsd_ranges(as_matlab(PED1))[4] == [(5, 90), (140, 200)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("T{end+1}.gt_frame = [5:90 140:200];", [(5, 90), (140, 200)]),
        ("T{end+1}.gt_frame = [ 5 : 90 ; 140:200 ]", [(5, 90), (140, 200)]),
        ("T{12}.gt_frame=[7];  % one frame", [(7, 7)]),
        ("T{end+1}.gt_frame = 3:4;", [(3, 4)]),
        ("T{end+1}.gt_frame = [];", []),
    ],
)
def test_ways_of_writing(line, expected):
    assert parse_ucsd_ranges(f"T = {{}};\r\n% T.gt_frame = [1:2]\r\n{line}\r\n") == [expected]


@pytest.mark.parametrize("ranges", ["[5:]", "[a:b]", "[1:2:9]", "[1-5]", "[1:2"])
def test_unreadable_line_is_named(ranges):
    text = f"T = {{}};\nT{{end+1}}.gt_frame = {ranges};"
    with pytest.raises(UserError, match=r"x.m, line 2"):
        parse_ucsd_ranges(text, "x.m")


def test_no_ranges_is_an_error():
    with pytest.raises(UserError, match=r"x.m: no frame ranges"):
        parse_ucsd_ranges("hello", "x.m")


def test_ranges_are_one_based_and_inclusive():
    np.testing.assert_array_equal(ranges_to_labels([(2, 3), (5, 5)], 6), [0, 1, 1, 0, 1, 0])
    assert ranges_to_labels([], 3).dtype == np.int8


@pytest.mark.parametrize("bad", [(0, 3), (4, 3), (2, 7)])
def test_range_outside_the_frames_is_an_error(bad):
    with pytest.raises(UserError, match=f"x.m: range {bad[0]}:{bad[1]} .* 1:6"):
        ranges_to_labels([bad], 6, "x.m")
