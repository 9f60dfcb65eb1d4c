import errno
import shutil
import tarfile

import numpy as np
import pytest
from tiny_data import frame_image, write_image, write_video

from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.ucsd_ped import UcsdPed
from vid_jax.input_pipeline.frame_store import open_frame_store
from vid_jax.input_pipeline.prepare import prepare


def test_the_archive_gives_what_the_tree_gives(tmp_path, ped, config):
    tree = open_frame_store(prepare(config), config).frames[:]
    archive = tmp_path / "UCSD_Anomaly_Dataset.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(ped, "UCSD_Anomaly_Dataset.v1p2/UCSDped2")
    config.data.source = str(archive)
    frames = open_frame_store(prepare(config), config).frames
    np.testing.assert_array_equal(frames, tree)
    assert [path.name for path in (tmp_path / "prepared/ucsd_ped/ped2").iterdir()] == ["1.0.0"]


def test_prepared_data_need_no_source(ped, config):
    prepare(config)
    shutil.rmtree(ped)
    config.data.source = ""
    assert prepare(config).info.splits["train"].num_examples == 24


def test_without_source_and_network_the_error_says_what_to_get(config, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    config.data.source = ""
    with pytest.raises(UserError, match=r"get UCSD_Anomaly_Dataset\.tar\.gz from http.*CVPR 2010"):
        prepare(config)


def test_data_that_left_out_bad_frames_are_prepared_again_without(ped, config):
    (ped / "Train" / "Train001" / "009.tif").write_bytes(b"II*\0")
    config.data.bad_frames = "skip"
    assert prepare(config).info.splits["train"].num_examples == 23
    config.data.bad_frames = "error"
    with pytest.raises(UserError, match=r"009\.tif cannot be decoded; .*bad_frames=skip"):
        prepare(config)


def test_what_a_killed_process_left_is_removed(tmp_path, ped, config):
    leftover = tmp_path / "prepared" / "ucsd_ped" / "ped2" / "incomplete.X_1.0.0"
    leftover.mkdir(parents=True)
    prepare(config)
    assert not leftover.exists()


def test_a_full_disk_is_named(ped, config, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(UcsdPed, "download_and_prepare", full)
    with pytest.raises(UserError, match=r"disk of .*prepared is full; --config\.data\.dir=FOLDER"):
        prepare(config)


@pytest.fixture
def mine(tmp_path, config):
    for name in ("train/a.mkv", "train/b.mkv", "test/c.mkv"):
        write_video(tmp_path / "mine" / name, [0, 50, 100, 150])
    config.data.update(dataset="videos", source=str(tmp_path / "mine"))
    return tmp_path / "mine"


def test_a_folder_of_videos_is_read_again_when_it_changes(mine, config):
    assert prepare(config).info.splits["train"].num_examples == 2
    write_image(mine / "train" / "walk" / "000.jpg", frame_image("", 0))
    write_image(mine / "train" / "walk" / "001.jpg", frame_image("", 1))
    assert prepare(config).info.splits["train"].num_examples == 3


def test_two_folders_do_not_displace_each_other(mine, config, log):
    prepare(config)
    shutil.copytree(mine, mine.with_name("other"))
    config.data.source = str(mine.with_name("other"))
    prepare(config)
    config.data.source = str(mine)
    prepare(config)
    assert log().count("preparing") == 2


def test_names_may_have_blanks_and_any_letters(mine, config):
    source = mine.rename(mine.with_name("1 küche (süd)"))
    (source / "test" / "c.mkv").rename(source / "test" / "früh morgens.mkv")
    config.data.source = str(source)
    store = open_frame_store(prepare(config), config)
    assert [video.name for video in store.videos] == ["a.mkv", "b.mkv", "früh morgens.mkv"]


def test_an_unreadable_video_is_named_or_left_out(mine, config):
    (mine / "train" / "b.mkv").write_bytes(b"no video")
    with pytest.raises(UserError, match=r"train/b\.mkv cannot be read as a video"):
        prepare(config)
    config.data.bad_frames = "skip"
    assert prepare(config).info.splits["train"].num_examples == 1
