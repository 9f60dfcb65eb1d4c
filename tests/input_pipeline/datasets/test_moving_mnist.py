import numpy as np
import pytest

from vid_jax.errors import UserError
from vid_jax.input_pipeline import check_source, create_dataset
from vid_jax.input_pipeline.datasets.moving_mnist_files import split_sequences
from vid_jax.input_pipeline.prepare import prepare

SHAPE = (20, 12, 64, 64)  # time, sequence, height, width


@pytest.fixture
def array(tmp_path, config):
    folder = tmp_path / "mnist"
    folder.mkdir()
    values = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
    np.save(folder / "mnist_test_seq.npy", values)
    config.data.update(
        dataset="moving_mnist", source=str(folder), frame_size=(64, 64), num_frames=20
    )
    return values


def test_sequences_are_videos_in_the_published_order(array, config):
    check_source(config)
    dataset = create_dataset(config, 2)
    assert dataset.info.num_examples == {"train": 9, "validation": 1, "test": 2}
    videos = [video.name for split in dataset.info.videos.values() for video in split]
    assert videos == [f"sequence_{index:05d}" for index in range(12)]
    frames = [
        dataset.frames(split, index)[..., 0]
        for split, videos in dataset.info.videos.items()
        for index in range(len(videos))
    ]
    np.testing.assert_array_equal(frames, array.swapaxes(0, 1))
    assert dataset.labels("test", 0) is None
    assert dataset.masks("test", 0) is None


def test_the_file_may_be_named_itself(array, config):
    config.data.source += "/mnist_test_seq.npy"
    check_source(config)
    assert prepare(config).info.splits["train"].num_examples == 9 * 20


def test_the_published_array_is_split_8_1_1():
    assert split_sequences(10_000) == {
        "train": range(8000),
        "validation": range(8000, 9000),
        "test": range(9000, 10_000),
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            np.zeros((12, 20, 64, 64), np.uint8),
            r"holds uint8 \(12, 20, 64, 64\), wanted uint8 \(20",
        ),
        (np.zeros((20, 12, 32, 32), np.uint8), r"holds uint8 \(20, 12, 32, 32\), wanted"),
        (np.zeros((20, 64, 64), np.uint8), r"holds uint8 \(20, 64, 64\), wanted"),
        (np.zeros(SHAPE, np.float32), r"holds float32 \(20, 12, 64, 64\), wanted"),
        (np.zeros((20, 9, 64, 64), np.uint8), "holds 9 sequences; three splits want at least 10"),
    ],
)
def test_arrays_of_another_kind(array, config, values, message):
    np.save(f"{config.data.source}/mnist_test_seq.npy", values)
    with pytest.raises(UserError, match=rf"mnist_test_seq\.npy {message}"):
        check_source(config)


@pytest.mark.parametrize("size", [0, 50, 300_000])
def test_a_truncated_file(tmp_path, array, config, size):
    file = tmp_path / "mnist" / "mnist_test_seq.npy"
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(UserError, match=r"mnist_test_seq\.npy cannot be read .*; get it again"):
        check_source(config)


def test_a_folder_without_it(tmp_path, array, config):
    (tmp_path / "mnist" / "mnist_test_seq.npy").rename(tmp_path / "mnist" / "a.npy")
    with pytest.raises(UserError, match=r"mnist holds no mnist_test_seq\.npy; get it from http"):
        check_source(config)


def test_without_source_and_network_the_error_says_what_to_get(config, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    config.data.update(dataset="moving_mnist", source="")
    with pytest.raises(UserError, match=r"get mnist_test_seq\.npy from http.*FILE_OR_FOLDER"):
        prepare(config)
