import numpy as np
import pytest
from tiny_data import frame_image, write_image

from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.video_files import LabelFile, find_videos, list_videos


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"0")
    return path


def test_video_files_and_folders_of_frames_are_listed_by_name(tmp_path, log):
    write_image(tmp_path / "walk" / "001.png", frame_image("", 1))
    for name in ("b.MP4", "a.avi", ".DS_Store", "notes.txt"):
        touch(tmp_path / name)
    videos = list_videos(tmp_path)
    assert videos == {name: tmp_path / name for name in ("a.avi", "b.MP4", "walk")}
    assert list_videos(tmp_path / "walk") == {"walk": tmp_path / "walk"}
    assert list_videos(tmp_path / "a.avi") == {"a.avi": tmp_path / "a.avi"}
    assert log().count("notes.txt is passed over") == 1
    assert ".DS_Store" not in log()


def test_what_holds_no_videos_is_an_error(tmp_path):
    with pytest.raises(UserError, match="gone does not exist"):
        list_videos(tmp_path / "gone")
    (tmp_path / "train").mkdir()
    with pytest.raises(UserError, match=r"holds no folder test/"):
        find_videos(tmp_path)
    (tmp_path / "test").mkdir()
    with pytest.raises(UserError, match="train holds no video files and no folders of images"):
        find_videos(tmp_path)
    (tmp_path / "train" / "walk").mkdir()
    with pytest.raises(UserError, match="walk holds no images"):
        find_videos(tmp_path)


def labels_of(tmp_path, text, numbers=range(1, 7), times=None, last=6):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    numbers = np.array(numbers)
    times = list(numbers / 10) if times is None else times
    return LabelFile(path, ["a.mp4", "walk"]).labels("a.mp4", numbers, times, last).tolist()


@pytest.mark.parametrize(
    "text",
    [
        "video,start,end\na.mp4,2,3\na.mp4,6,6\n",
        "Video, Start, End\r\na, 6, 6\r\n\r\na, 2, 3\r\n",
        "\ufeffvideo,start_seconds,end_seconds\na,0.15,0.3\na,0.6,9\n",
        "video,frame,label\n" + "".join(f"a,{n},{int(n in (2, 3, 6))}\n" for n in range(6, 0, -1)),
    ],
)
def test_the_forms_of_labels_agree(tmp_path, text):
    assert labels_of(tmp_path, text) == [0, 1, 1, 0, 0, 1]
    assert labels_of(tmp_path, text, numbers=[1, 2, 6]) == [0, 1, 1]


def test_single_frames_may_be_unlabelled(tmp_path):
    text = "video,frame,label\n" + "".join(f"a,{n},{-1 if n > 3 else 1}\n" for n in range(1, 7))
    assert labels_of(tmp_path, text) == [1, 1, 1, -1, -1, -1]


def test_a_row_without_a_span_is_normal_and_no_row_is_unlabelled(tmp_path, log):
    assert labels_of(tmp_path, "video,start,end\na,,\nwalk,1,2\n") == [0] * 6
    assert labels_of(tmp_path, "video,frame,label\na\n") == [0] * 6
    assert labels_of(tmp_path, "video,start,end\nwalk,1,2\n") == [-1] * 6
    assert "says nothing of a.mp4" in log()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line must be video,start,end or "),
        ("file,from,to\n", "the first line must be video,start,end or "),
        ("video,start,end\nb,1,2\n", r"labels\.csv, line 2: no test video 'b'"),
        ("video,start,end\na,1,2\na,3,2\n", "line 3: 3,2 is not a start and an end"),
        ("video,start,end\na,one,2\n", "line 2: one,2 is not a start and an end"),
        ("video,start,end\na,1\n", "line 2: 1 is not a start and an end"),
        ("video,frame,label\na,1,2\n", "line 2: 1,2 is not a frame and a label"),
        ("video,start,end\na,5,7\n", "labels of a.mp4 do not match its frames 1 to 6"),
        ("video,start,end\na,0,1\n", "labels of a.mp4 do not match its frames 1 to 6"),
        ("video,frame,label\na,1,0\na,2,1\n", "labels of a.mp4 do not match its frames 1 to 6"),
    ],
)
def test_labels_that_make_no_sense(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        labels_of(tmp_path, text)


def test_times_do_not_label_frames_without_times(tmp_path):
    with pytest.raises(UserError, match=r"a\.mp4 keeps no times; label it by frame numbers"):
        labels_of(tmp_path, "video,start_seconds,end_seconds\na,0,1\n", times=[None] * 6)
