import cv2
import numpy as np
import pytest

from vid_jax.input_pipeline.datasets import pedestrian_scene
from vid_jax.input_pipeline.datasets.pedestrians import SEED, Pedestrians


@pytest.fixture
def builder(tmp_path, monkeypatch):
    """The data set with one short video a split."""
    monkeypatch.setattr(pedestrian_scene, "TRAIN_LENGTHS", {"Train001": 120})
    monkeypatch.setattr(pedestrian_scene, "TEST_LENGTHS", {"Test009": 120})
    builder = Pedestrians(source=None, data_dir=tmp_path)
    builder.download_and_prepare()
    return builder


def test_records_hold_the_rendered_frames_labels_and_masks(builder):
    assert builder.info.metadata["kind"] == "frames"
    for split, name in (("train", "Train001"), ("test", "Test009")):
        video = pedestrian_scene.render_video(name, SEED)
        records = list(builder.as_dataset(split=split).as_numpy_iterator())
        assert [record["video"].decode() for record in records] == [name] * 120
        assert [record["frame"] for record in records] == list(range(1, 121))
        assert [record["label"] for record in records] == list(video.labels)
        images = np.stack([_decode(record["image"]) for record in records])
        np.testing.assert_array_equal(images, video.frames)
        if split == "train":
            assert all(record["mask"] == b"" for record in records)
        else:
            masks = np.stack([_decode(record["mask"]) for record in records])
            np.testing.assert_array_equal(masks > 0, video.masks)


def _decode(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
