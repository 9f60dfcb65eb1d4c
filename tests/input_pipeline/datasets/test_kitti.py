import shutil

import cv2
import numpy as np
import pytest
from tiny_data import frame_image, write_image

from vid_jax.errors import UserError
from vid_jax.input_pipeline import check_source, create_dataset
from vid_jax.input_pipeline.prepare import prepare

LENGTHS = {
    "2011_09_26_drive_0001": 6,
    "2011_09_26_drive_0005": 5,
    "2011_09_26_drive_0070": 4,
    "2011_09_26_drive_0079": 5,
    "2011_09_26_drive_0104": 4,
    "2011_10_03_drive_0027": 7,
}
HELD_OUT = {
    "validation": {"2011_09_26_drive_0005"},
    "test": {"2011_09_26_drive_0070", "2011_09_26_drive_0079", "2011_09_26_drive_0104"},
}


def colour_image(name, number):
    return np.stack([frame_image(f"{name} {channel}", number) for channel in "rgb"], axis=-1)


def write_recording(date_folder, name, length):
    """A recording of frames (12, 16, 3), a tenth of a second apart, as KITTI unpacks."""
    folder = date_folder / f"{name}_sync" / "image_03"
    for number in range(length):
        image = cv2.cvtColor(colour_image(name, number), cv2.COLOR_RGB2BGR)
        write_image(folder / "data" / f"{number:010d}.png", image)
    times = [f"2011-09-26 13:59:59.{964389445 - 10**8 * (9 - n):09d}" for n in range(length)]
    (folder / "timestamps.txt").write_text("".join(f"{time}\n" for time in times))
    for other in ("image_02", "velodyne_points"):
        (folder.parent / other / "data").mkdir(parents=True)


@pytest.fixture
def kitti(tmp_path, config):
    source = tmp_path / "kitti"
    for name, length in LENGTHS.items():
        write_recording(source / name[:10], name, length)
    (source / "2011_09_26" / "calib_cam_to_cam.txt").write_text("calib_time: 09-Jan-2012\n")
    config.data.update(
        dataset="kitti", source=str(source), channels=3, frame_size=(6, 6), resize="crop"
    )
    return source


def data_of(source, name):
    return source / name[:10] / f"{name}_sync" / "image_03" / "data"


def test_the_splits_are_those_of_prednet_and_windows_stay_within_recordings(kitti, config):
    check_source(config)
    dataset = create_dataset(config, 2)
    names = {
        split: [video.name for video in videos] for split, videos in dataset.info.videos.items()
    }
    assert names == {
        "train": ["2011_09_26_drive_0001", "2011_10_03_drive_0027"],
        "validation": ["2011_09_26_drive_0005"],
        "test": ["2011_09_26_drive_0104", "2011_09_26_drive_0079", "2011_09_26_drive_0070"],
    }
    assert dataset.info.num_examples == {"train": 3 + 4, "validation": 2, "test": 1 + 2 + 1}
    for split, videos in dataset.info.videos.items():
        for index, video in enumerate(videos):
            assert video.length == LENGTHS[video.name]
            assert dataset.labels(split, index) is None
            for number, frame in enumerate(dataset.frames(split, index)):
                image = colour_image(video.name, number)
                wide = cv2.resize(image, (8, 6), interpolation=cv2.INTER_AREA)
                np.testing.assert_array_equal(frame, wide[:, 1:7])


def test_times_count_from_the_first_frame(kitti, config):
    missing = data_of(kitti, "2011_10_03_drive_0027").with_name("timestamps.txt")
    missing.unlink()
    videos = create_dataset(config, 2).info.videos
    np.testing.assert_allclose(videos["test"][1].timestamps, np.arange(5) / 10, atol=1e-9)
    assert videos["train"][1].timestamps is None


def test_recordings_may_lie_in_folders_of_their_categories(kitti, config):
    flat = create_dataset(config, 2)
    shutil.rmtree(kitti.parent / "prepared")
    for name, category in zip(
        LENGTHS, ("city", "city", "road", "residential", "city", "residential"), strict=True
    ):
        target = kitti / category / name[:10]
        target.mkdir(parents=True, exist_ok=True)
        (kitti / name[:10] / f"{name}_sync").rename(target / f"{name}_sync")
    write_recording(kitti / "campus" / "2011_09_28", "2011_09_28_drive_0016", 9)
    nested = create_dataset(config, 2)
    for split in ("train", "validation", "test"):
        assert [v.name for v in nested.info.videos[split]] == [
            v.name for v in flat.info.videos[split]
        ]


def test_recordings_that_are_missing_are_named(kitti, config):
    for name in ("2011_09_26_drive_0005", "2011_09_26_drive_0079"):
        shutil.rmtree(data_of(kitti, name).parent)
    with pytest.raises(
        UserError,
        match=r"kitti lacks the recordings 2011_09_26_drive_0005_sync \(validation\), "
        r"2011_09_26_drive_0079_sync \(test\); get .* from https://www\.cvlibs\.net",
    ):
        check_source(config)


def test_something_to_train_on_and_nothing_twice(kitti, config):
    copy = kitti / "copy" / "2011_09_26_drive_0001_sync"
    shutil.copytree(data_of(kitti, "2011_09_26_drive_0001").parents[1], copy)
    with pytest.raises(UserError, match=r"2011_09_26_drive_0001 is there twice, .*kitti"):
        check_source(config)
    for folder in (copy.parent, kitti / "2011_10_03"):
        shutil.rmtree(folder)
    shutil.rmtree(data_of(kitti, "2011_09_26_drive_0001").parents[1])
    with pytest.raises(UserError, match="kitti holds no recordings to train on"):
        check_source(config)


def test_without_a_source_the_error_says_what_to_get(kitti, config):
    config.data.source = ""
    with pytest.raises(UserError, match=r"get the synced .*cvlibs.* \(cite Geiger et al\., IJRR"):
        prepare(config)


def test_times_that_do_not_match_the_frames(kitti, config):
    file = data_of(kitti, "2011_09_26_drive_0001").with_name("timestamps.txt")
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-1]))
    with pytest.raises(UserError, match=r"timestamps\.txt has 5 times and data/ beside it 6 fr"):
        prepare(config)
    config.data.bad_frames = "skip"
    train = create_dataset(config, 2).info.videos["train"]
    assert train[0].length == 6
    assert train[0].timestamps is None
    file.write_text("".join([*lines[:2], "13 o'clock\n", *lines[3:]]))
    with pytest.raises(UserError, match=r"timestamps\.txt, line 3: \"13 o'clock\" is no date"):
        prepare(config)


def test_frames_that_are_missing_or_damaged(kitti, config):
    data = data_of(kitti, "2011_10_03_drive_0027")
    (data / "0000000002.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"drive_0027_sync/image_03/data: frame 2 cannot be dec"):
        prepare(config)
    (data / "0000000002.png").unlink()
    with pytest.raises(UserError, match=r"drive_0027_sync/image_03/data: no frame 2"):
        prepare(config)
    config.data.bad_frames = "skip"
    train = create_dataset(config, 2).info.videos["train"]
    assert [(video.name, video.length) for video in train] == [
        ("2011_09_26_drive_0001", 6),
        ("2011_10_03_drive_0027_3-6", 4),
    ]
    np.testing.assert_allclose(train[1].timestamps, np.arange(3, 7) / 10, atol=1e-9)


def test_a_source_that_moved_is_read_where_it_is_now(kitti, config, log):
    create_dataset(config, 2)
    disk = kitti.parent / "disk"
    disk.mkdir()
    config.data.update(source=str(kitti.rename(disk / kitti.name)), frame_size=(4, 4))
    assert create_dataset(config, 2).frames("test", 0).shape == (4, 4, 4, 3)
    assert "kitti_raw/1.0.0 is prepared again: its source has moved" in log()
