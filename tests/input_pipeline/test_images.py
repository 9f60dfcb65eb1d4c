"""Photographs from their folders to batches."""

import itertools
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import requests

from vid_jax import default_config
from vid_jax.errors import UserError
from vid_jax.input_pipeline import create_dataset
from vid_jax.input_pipeline.datasets.generated_images import draw_image
from vid_jax.input_pipeline.datasets.image_files import find_caltech256, resized
from vid_jax.input_pipeline.image_split import held_out
from vid_jax.input_pipeline.image_store import open_image_store
from vid_jax.input_pipeline.tensorflow_cpu import tfds


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


def make_config(tmp_path, dataset="images", **changes):
    config = default_config.images()
    config.data.dataset = dataset
    config.data.source = str(tmp_path / "source")
    config.data.dir = str(tmp_path / "prepared")
    config.data.frame_size = (8, 16)
    config.data.update(changes)
    return config


@pytest.fixture
def folder(tmp_path):
    """Ten images of one grey value each, 10 to 100, two of them in a folder of their own; and what is no image."""
    for number in range(1, 11):
        name = f"{number:02d}.png" if number < 9 else f"more/{number:02d}.png"
        shape = (12, 20) if number == 3 else (12, 20, 3)
        write(tmp_path / "source" / name, np.full(shape, 10 * number, np.uint8))
    (tmp_path / "source" / "notes.txt").write_text("no image")
    write(tmp_path / "source" / ".hidden" / "1.png", np.zeros((4, 4), np.uint8))
    return tmp_path


def test_images_are_split_by_their_names(folder):
    dataset = create_dataset(make_config(folder), 3)
    assert dataset.info.num_examples == {"train": 8, "validation": 2, "test": 2}
    names = [f"{n:02d}.png" for n in range(1, 9)] + ["more/09.png", "more/10.png"]
    held = {name for name, held in zip(names, held_out(names, 0.2, 42)) if held}
    assert {dataset.image_name(row) for row in dataset.rows("test")} == held
    assert {dataset.image_name(row) for row in dataset.rows("train")} == {*names} - held
    assert "held out, to validate and to test" in dataset.info.description


def test_evaluation_sees_every_image_once(folder):
    dataset = create_dataset(make_config(folder), 3)
    batches = list(dataset.eval_batches("train"))
    assert [batch["mask"].tolist() for batch in batches] == [[1, 1, 1], [1, 1, 1], [1, 1, 0]]
    assert batches[0]["image"].shape == (3, 8, 16, 3)
    assert batches[0]["image"].dtype == np.uint8
    for batch in batches:
        for image, index in zip(batch["image"], batch["index"]):
            assert np.unique(image) == 10 * int(dataset.image_name(index)[-6:-4])
        np.testing.assert_array_equal(dataset.images(batch["index"]), batch["image"])


def test_training_stream_is_resumed_and_shared(folder):
    config = make_config(folder)
    dataset = create_dataset(config, 4)
    stream = dataset.train_batches(0)
    batches = [next(stream) for _ in range(4)]
    assert sorted(np.concatenate([b["index"] for b in batches[:2]])) == sorted(
        dataset.rows("train")
    )
    resumed = next(dataset.train_batches(3))
    np.testing.assert_array_equal(resumed["index"], batches[3]["index"])
    np.testing.assert_array_equal(resumed["image"], batches[3]["image"])


def test_damaged_images_are_named_or_left_out(folder):
    (folder / "source/05.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"05\.png cannot be decoded"):
        create_dataset(make_config(folder), 2)
    dataset = create_dataset(make_config(folder, bad_frames="skip"), 2)
    assert dataset.info.num_examples == {"train": 8, "validation": 1, "test": 1}


def test_folder_without_images_is_named(tmp_path):
    (tmp_path / "source/empty").mkdir(parents=True)
    with pytest.raises(UserError, match="holds no images"):
        create_dataset(make_config(tmp_path), 2)


def test_caltech256_is_read_as_published(tmp_path):
    root = tmp_path / "source/256_ObjectCategories"
    for name in ("001.ak47/001_0001.jpg", "001.ak47/001_0002.jpg", "257.clutter/257_0001.jpg"):
        write(root / name, np.full((10, 10, 3), 99, np.uint8))
    found, images = find_caltech256(tmp_path / "source")
    assert found == root
    assert [path.name for path in images] == ["001_0001.jpg", "001_0002.jpg", "257_0001.jpg"]
    config = make_config(tmp_path, "caltech256", validation_fraction=0.4)
    dataset = create_dataset(config, 2)
    assert dataset.info.num_examples == {"train": 2, "validation": 1, "test": 1}
    with pytest.raises(UserError, match=r"001\.ak47"):
        find_caltech256(root / "001.ak47")


def test_images_are_stretched_without_aliases():
    """A side that shrinks is averaged over even where the other grows."""
    stripes = np.zeros((64, 10), np.uint8)
    stripes[::2] = 200
    image = resized(stripes, (8, 16))
    assert image.shape == (8, 16, 3)
    np.testing.assert_array_equal(image, 100)
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (32, 64, 3), dtype=np.uint8)
    wanted = small.reshape(8, 4, 16, 4, 3).mean((1, 3))
    np.testing.assert_allclose(resized(small, (8, 16)), wanted, atol=1)


def test_generated_images_are_reproducible_and_various():
    images = [draw_image(number) for number in range(4)]
    np.testing.assert_array_equal(images[2], draw_image(2))
    assert images[0].shape == (144, 256, 3)
    assert images[0].dtype == np.uint8
    assert all(image.std() > 5 for image in images)
    assert all((a != b).any() for a, b in itertools.pairwise(images))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("frame_size", (8, 20), "multiples of 8"),
        ("validation_fraction", 1.0, "between 0 and 1"),
        ("flip_probability", 2.0, "flip_probability"),
        ("random_crop", (8, 12), "random_crop=.*multiples of 8"),
        ("random_crop", (8, 800), "within frame_size"),
        ("dataset", "caltech101", "caltech101 has none"),
        ("dataset", "photos", "one of"),
    ],
)
def test_values_out_of_range_are_named(folder, key, value, message):
    with pytest.raises(UserError, match=message):
        create_dataset(make_config(folder, **{key: value}), 2)


def test_without_a_network_caltech101_is_not_had(tmp_path, monkeypatch):
    def fail(builder):
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(UserError, match="caltech101 cannot be downloaded"):
        create_dataset(make_config(tmp_path, "caltech101", source=""), 2)


class PublishedRecords:
    """What is asked of the builder of Caltech-101: records of its own, with the bytes of the files."""

    def __init__(self):
        splits = {split: SimpleNamespace(num_examples=1) for split in ("train", "test")}
        self.info = SimpleNamespace(
            full_name="caltech101/3.0.2", metadata=None, splits=splits, features=("image", "label")
        )

    def as_dataset(self, split, read_config, decoders):
        assert isinstance(decoders["image"], tfds.decode.SkipDecoding)
        image = cv2.imencode(".png", np.full((9, 9, 3), 50 if split == "train" else 70, np.uint8))
        record = {"image": image[1].tobytes(), "label": 7, "image/file_name": b"image_0001.jpg"}
        return SimpleNamespace(as_numpy_iterator=lambda: iter([record]))


def test_all_splits_of_caltech101_are_read(tmp_path):
    store = open_image_store(PublishedRecords(), make_config(tmp_path, "caltech101").data)
    assert store.shape == (2, 8, 16, 3)
    assert store.names.tolist() == ["train/7/image_0001.jpg", "test/7/image_0001.jpg"]
    assert store.read(np.array([1, 0]))[:, 0, 0, 0].tolist() == [70, 50]
