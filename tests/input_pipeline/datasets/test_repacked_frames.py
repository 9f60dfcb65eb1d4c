"""Frames, events and masks in the layout that came with Liu et al. (CVPR 2018)."""

import shutil

import numpy as np
import pytest
import scipy.io
from tiny_data import write_cells, write_image

from vid_jax.errors import UserError
from vid_jax.input_pipeline import check_source, create_dataset
from vid_jax.input_pipeline.prepare import prepare

LENGTHS = {"01": 6, "02": 5, "03": 7}  # frames of the test videos
NOTHING = np.zeros((0, 0))
EVENTS = [[[2, 6], [3, 6]], NOTHING, [[1], [7]]]  # 2 to 3 and 6; none; all
LABELS = [[0, 1, 1, 0, 0, 1], [0] * 5, [1] * 7]


@pytest.fixture
def repacked(tmp_path, config):
    """Two training and three test videos, without labels."""
    root = tmp_path / "campus"
    for part, videos in (("training", {"01": 6, "02": 5}), ("testing", LENGTHS)):
        for name, length in videos.items():
            for number in range(length):
                image = np.full((12, 16), 30 * number, np.uint8)
                write_image(root / part / "frames" / name / f"{number:03d}.jpg", image)
    config.data.update(dataset="frames", source=str(root))
    return root


def labels(config):
    dataset = create_dataset(config, 2)
    found = [dataset.labels("test", index) for index in range(3)]
    return [None if label is None else label.tolist() for label in found]


def struct(arrays, field):
    """A 1 x n struct array of one field."""
    structs = np.zeros((1, len(arrays)), [(field, object)])
    for index, array in enumerate(arrays):
        structs[field][0, index] = np.asarray(array)
    return structs


def cells(arrays):
    found = np.empty((1, len(arrays)), object)
    for index, array in enumerate(arrays):
        found[0, index] = np.asarray(array)
    return found


@pytest.mark.parametrize(
    "gt",
    [
        cells(EVENTS),
        cells(EVENTS).T,
        cells([cells([events]) for events in EVENTS]),
        cells([EVENTS[0], cells([]), EVENTS[2]]),
        struct(EVENTS, "event"),
        cells([struct([events], "event") for events in EVENTS]),
    ],
    ids=["row", "column", "cells_in_cells", "empty_cell", "struct", "cells_of_structs"],
)
def test_events_of_a_mat_file(repacked, config, gt):
    scipy.io.savemat(repacked / "campus.mat", {"gt": gt})
    assert labels(config) == LABELS


def test_events_of_a_single_video(repacked, config):
    for name in ("02", "03"):
        shutil.rmtree(repacked / "testing/frames" / name)
    scipy.io.savemat(repacked / "campus.mat", {"gt": np.array(EVENTS[0])})
    assert create_dataset(config, 2).labels("test", 0).tolist() == LABELS[0]


@pytest.mark.parametrize("shape", [(1, -1), (-1,)])
def test_labels_of_a_npy_file(repacked, config, shape):
    np.save(repacked / "frame_labels_other.npy", np.reshape(np.concatenate(LABELS), shape))
    assert labels(config) == LABELS


def test_without_labels(repacked, config, log):
    assert labels(config) == [None] * 3
    assert "campus holds no labels" in log()


def test_masks_of_some_videos(repacked, config):
    masks = np.zeros((5, 12, 16), bool)
    masks[2:, 3, 4] = True
    (repacked / "pixel_masks").mkdir()
    np.save(repacked / "pixel_masks/02.npy", masks)
    dataset = create_dataset(config, 2)
    assert dataset.masks("test", 0) is None
    np.testing.assert_array_equal(dataset.masks("test", 1), masks)


def test_labels_that_change_are_read_again(repacked, config):
    write_cells(repacked / "campus.mat", "gt", EVENTS)
    assert labels(config) == LABELS
    write_cells(repacked / "campus.mat", "gt", EVENTS[::-1][:2] + [NOTHING])
    with broken(r"campus\.mat, video 1: range 1:7 does not lie within frames 1:6"):
        prepare(config)
    write_cells(repacked / "campus.mat", "gt", [NOTHING] * 3)
    assert labels(config) == [[0] * length for length in LENGTHS.values()]


def broken(message):
    return pytest.raises(UserError, match=message)


def test_sources_of_another_layout(repacked, config):
    config.data.source = ""
    with broken("data.source=FOLDER names the folder that holds training/frames/ and testing/"):
        check_source(config)
    config.data.source = str(repacked.parent)
    with broken("training/frames is missing; name the folder of one data set"):
        check_source(config)
    config.data.source = str(repacked)
    shutil.rmtree(repacked / "testing/frames")
    (repacked / "testing/frames").mkdir()
    with broken("testing/frames holds no folders; each is one video's frames"):
        check_source(config)


def test_a_folder_without_images(repacked, config):
    (repacked / "testing/frames/04").mkdir()
    with broken("frames/04 holds no images"):
        prepare(config)
    np.save(repacked / "frame_labels_campus.npy", np.zeros(18))
    with broken("frames/04 holds no images; each folder is one video's frames"):
        check_source(config)


def test_a_video_without_a_good_frame(repacked, config):
    for path in (repacked / "training/frames/02").iterdir():
        path.write_bytes(b"no image")
    with broken("frames/02 holds no frame that can be decoded; mend it or leave it out") as error:
        prepare(config)
    assert str(error.value).count("mend it") == 1
    config.data.bad_frames = "skip"
    assert prepare(config).info.splits["train"].num_examples == 1


@pytest.mark.parametrize(
    ("gt", "message"),
    [
        (cells(EVENTS[:2]), r"campus\.mat labels 2 videos and there are 3 test videos"),
        (cells([[[1, 2, 3]], NOTHING, NOTHING]), r"gt of video 1 is not 2 x events of frame"),
        (cells([NOTHING, [[0.5], [2]], NOTHING]), r"gt of video 2 is not 2 x events of frame"),
        (cells(["a", "b", "c"]), r"campus\.mat: gt is not a cell array of numbers; is it the"),
        (cells([cells(EVENTS), *EVENTS]), r"campus\.mat: gt holds cells of several cells; one"),
        ({"start": 1, "end": 2}, r"campus\.mat: gt is a struct of start, end: one is wanted"),
    ],
)
def test_mat_files_that_do_not_fit(repacked, config, gt, message):
    scipy.io.savemat(repacked / "campus.mat", {"gt": gt})
    with broken(message):
        check_source(config)


def test_a_mat_file_of_version_7_3(repacked, config):
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    (repacked / "campus.mat").write_bytes(header + bytes(400))
    with broken(r"campus\.mat is a \.mat file of version 7\.3; save it by MATLAB's save -v7"):
        check_source(config)


def test_npy_labels_that_do_not_fit(repacked, config):
    file = repacked / "frame_labels_campus.npy"
    np.save(file, np.zeros(17))
    with broken(r"frame_labels_campus\.npy labels 17 frames and .*testing/frames holds 18; one"):
        check_source(config)
    np.save(file, np.full(18, 2))
    with broken(r"frame_labels_campus\.npy does not hold 0 or 1 for each frame"):
        check_source(config)


def test_several_label_files(repacked, config):
    for name in ("a.mat", "b.mat", "._a.mat"):
        write_cells(repacked / name, "gt", EVENTS)
    with broken(
        r"campus holds a\.mat, b\.mat; keep the one with the labels, or name it campus\.mat"
    ):
        check_source(config)
    (repacked / "b.mat").rename(repacked / "campus.mat")
    check_source(config)
