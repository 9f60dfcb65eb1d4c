import concurrent.futures
import errno
import json
import shutil

import cv2
import numpy as np
import pytest
from tiny_data import frame_image, write_image, write_video

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import resize_frame
from vid_jax.input_pipeline.frame_store import open_frame_store
from vid_jax.input_pipeline.prepare import prepare
from vid_jax.input_pipeline.video_reader import iterate_video

LENGTHS = {"Train001": 9, "Train002": 7, "Train003": 8, "Test001": 6, "Test002": 10}


def open_store(config):
    return open_frame_store(prepare(config), config)


@pytest.fixture
def store(ped, config):
    return open_store(config)


def test_every_frame_is_decoded_resized_and_in_its_place(store):
    assert {video.name: video.length for video in store.videos} == LENGTHS
    assert store.frames.shape == (40, 6, 8, 1)
    assert store.frames.dtype == np.uint8
    for video in store.videos:
        for index in range(video.length):
            image = cv2.resize(
                frame_image(video.name, index + 1), (8, 6), interpolation=cv2.INTER_AREA
            )
            np.testing.assert_array_equal(store.frames[video.start + index, ..., 0], image)


def test_labels_and_masks_are_those_of_the_publication(store):
    assert store.labels.tolist() == [0] * 24 + [0, 1, 1, 0, 0, 1] + [0] * 3 + [1] * 7
    assert store.masks(0) is None
    for video in store.videos[3:]:
        masks = store.masks(video.start)
        assert masks.shape == (video.length, 12, 16)
        assert masks.dtype == bool
        labels = store.labels[video.start : video.start + video.length]
        np.testing.assert_array_equal(masks[:, 0, 0], labels)
        assert masks.sum() == labels.sum()


def test_windows_are_consecutive_frames(store):
    windows = store.windows(np.array([3, 36]), 4)
    np.testing.assert_array_equal(windows, [store.frames[3:7], store.frames[36:40]])
    with pytest.raises(UserError, match="is truncated; delete it"):
        store.windows(np.array([37]), 4)


def test_colour_and_enlarging(ped, config):
    config.data.update(frame_size=(24, 32), channels=3)
    frame = open_store(config).frames[0]
    image = cv2.resize(frame_image("Train001", 1), (32, 24), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(frame, np.stack([image] * 3, axis=-1))


def test_cropping_has_a_store_of_its_own_and_crops_the_masks_too(ped, config):
    config.data.frame_size = (6, 6)
    stretched = open_store(config)
    index = json.loads((stretched.folder / "index.json").read_text())
    assert index["settings"] == {"frame_size": [6, 6], "channels": 1, "layout": 1}
    config.data.resize = "crop"
    store = open_store(config)
    assert store.folder != stretched.folder
    image = cv2.resize(frame_image("Test002", 5), (8, 6), interpolation=cv2.INTER_AREA)
    video = store.videos[-1]
    np.testing.assert_array_equal(store.frames[video.start + 4, ..., 0], image[:, 1:7])
    assert store.masks(video.start).shape == (10, 12, 12)
    assert not store.masks(video.start).any()  # the abnormal pixel is at the left edge


def test_a_video_is_cut_where_frames_are_left_out(ped, config):
    (ped / "Test" / "Test002" / "004.tif").write_bytes(b"II*\0")
    config.data.bad_frames = "skip"
    store = open_store(config)
    parts = [(video.name, video.length) for video in store.videos[3:]]
    assert parts == [("Test001", 6), ("Test002_1-3", 3), ("Test002_5-10", 6)]
    part = store.videos[-1]
    assert store.labels[part.start :].tolist() == [1] * 6
    assert store.masks(part.start)[:, 0, 0].all()


def test_a_whole_store_is_opened_again_and_each_setting_has_its_own(ped, config, log):
    folder = open_store(config).folder
    assert open_store(config).folder == folder
    config.data.channels = 3
    assert open_store(config).folder != folder
    assert folder.exists()
    assert log().count("building the frame store") == 2
    assert log().count("preparing") == 1


def test_a_store_whose_source_changed_is_rebuilt(ped, config, log):
    folder = open_store(config).folder
    write_image(ped / "Train" / "Train001" / "001.tif", np.zeros((12, 16), np.uint8))
    store = open_store(config)
    assert store.folder == folder
    assert not store.frames[0].any()
    assert "is prepared again: its source has changed" in log()
    assert log().count("is stale or damaged and is built again") == 1


def test_a_half_written_store_is_not_used(ped, config, monkeypatch):
    builder = prepare(config)
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            open_frame_store(builder, config)
    root = ped.parent / "prepared" / "frame_store"
    assert [path.suffix for path in root.iterdir() if path.is_dir()] == [".partial"]
    assert open_frame_store(builder, config).frames[:].any()
    assert not list(root.glob("*.partial"))


@pytest.mark.parametrize("file", ["frames.bin", "index.json"])
def test_a_truncated_store_is_rebuilt(ped, config, file):
    store = open_store(config)
    expected = store.frames[:].copy()
    (store.folder / file).write_bytes((store.folder / file).read_bytes()[:100])
    np.testing.assert_array_equal(open_store(config).frames, expected)


def test_two_that_build_at_once_share_one_store(ped, config, log):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first, second = pool.map(open_store, [config, config])
    assert first.folder == second.folder
    np.testing.assert_array_equal(first.frames, second.frames)
    assert log().count("building the frame store") == 1


def test_a_full_disk_is_told_before_anything_is_written(ped, config, monkeypatch):
    builder = prepare(config)
    usage = shutil.disk_usage(ped)._replace(free=1919)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"frame_store needs 1,920 bytes for 40 frames and 1,919"):
        open_frame_store(builder, config)


def test_a_disk_that_fills_up_leaves_nothing_behind(ped, config, monkeypatch):
    builder = prepare(config)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(UserError, match=r"frame_store needs 1,920 bytes .*--config\.data\.dir"):
        open_frame_store(builder, config)
    assert not any(path.is_dir() for path in (ped.parent / "prepared" / "frame_store").iterdir())


def test_masks_of_one_video_have_one_size(ped, config):
    write_image(ped / "Test" / "Test002_gt" / "frame005.bmp", np.zeros((3, 3), np.uint8))
    with pytest.raises(UserError, match="Test002: the mask of frame 5 is not as others"):
        open_store(config)


def test_streamed_frames_are_those_of_the_store(tmp_path, ped, config):
    published = open_store(config)
    video = write_video(tmp_path / "mine" / "train" / "a.mkv", range(0, 200, 20))
    shutil.copytree(ped / "Test" / "Test002", tmp_path / "mine" / "test" / "Test002")
    config.data.update(dataset="videos", source=str(tmp_path / "mine"))
    own = open_store(config)
    for path, frames in (
        (video, own.frames[:10]),
        (ped / "Test" / "Test002", own.frames[10:]),
        (ped / "Test" / "Test002", published.frames[30:]),
    ):
        streamed = [resize_frame(frame, (6, 8), 1) for _, frame in iterate_video(path)]
        np.testing.assert_array_equal(streamed, frames)


def test_videos_keep_times_and_are_cut_at_frames_that_are_lost(tmp_path, config):
    source = tmp_path / "mine"
    write_video(source / "train" / "a.mkv", range(0, 100, 10), np.arange(10) ** 2 / 10)
    for number in (1, 2, 3, 5, 6):
        write_image(source / "test" / "walk" / f"{number}.png", frame_image("walk", number))
    (source / "labels.csv").write_text("video,start,end\nwalk,3,5\n")
    config.data.update(dataset="videos", source=str(source), bad_frames="skip")
    store = open_store(config)
    parts = [(video.split, video.name, video.length) for video in store.videos]
    assert parts == [("train", "a.mkv", 10), ("test", "walk_1-3", 3), ("test", "walk_5-6", 2)]
    np.testing.assert_allclose(store.timestamps[:10], np.arange(10) ** 2 / 10, atol=1e-3)
    assert np.isnan(store.timestamps[10:]).all()
    assert store.labels.tolist() == [0] * 10 + [0, 0, 1] + [1, 0]
    np.testing.assert_allclose(store.frames[:10].mean((1, 2, 3)), range(0, 100, 10), atol=2)


def test_the_index_can_be_read_by_others(store):
    index = json.loads((store.folder / "index.json").read_text())
    assert index["name"] == "ucsd_ped/ped2"
    assert index["shape"] == [40, 6, 8, 1]
