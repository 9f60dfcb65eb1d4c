"""ShanghaiTech Campus from files in the form of its authors."""

import shutil

import numpy as np
import pytest
from tiny_data import write_image, write_video

from vid_jax.errors import UserError
from vid_jax.input_pipeline import check_source, create_dataset
from vid_jax.input_pipeline.prepare import prepare

SIZE = (48, 64)
TRAINING = {"01_001": 6, "01_002": 5, "02_001": 7, "02_002": 6, "13_001": 5}  # frames
TESTING = {"01_0014": 6, "02_0128": 5}
LABELS = {"01_0014": [0, 1, 1, 0, 0, 1], "02_0128": [0] * 5}


def masks_of(name):
    masks = np.zeros((TESTING[name], *SIZE), np.uint8)
    masks[:, 3, 4] = LABELS[name]
    return masks


def write_frames(folder, length, first=0):
    for number in range(length):
        image = np.full(SIZE, 20 * number, np.uint8)
        write_image(folder / f"{number + first:03d}.jpg", image)


@pytest.fixture
def campus(tmp_path, config):
    """The published layout: training videos are files, test videos are folders of frames from 000.jpg."""
    root = tmp_path / "shanghaitech"
    for name, length in TRAINING.items():
        write_video(root / f"training/videos/{name}.avi", range(0, 20 * length, 20))
    for name, length in TESTING.items():
        write_frames(root / "testing/frames" / name, length)
        for folder, array in (
            ("test_frame_mask", np.array(LABELS[name])),
            ("test_pixel_mask", masks_of(name)),
        ):
            (root / "testing" / folder).mkdir(exist_ok=True)
            np.save(root / "testing" / folder / f"{name}.npy", array)
    config.data.update(dataset="shanghaitech", source=str(root))
    return root


def lengths(dataset):
    return {
        split: {video.name: video.length for video in videos}
        for split, videos in dataset.info.videos.items()
    }


def test_videos_labels_and_masks_are_those_of_the_publication(campus, config):
    config.data.source = str(campus.parent)
    dataset = create_dataset(config, 2)
    assert dataset.info.name == "shanghaitech/all_scenes"
    found = lengths(dataset)
    assert found["train"] | found["validation"] == TRAINING
    assert found["test"] == TESTING
    for index, name in enumerate(TESTING):
        means = dataset.frames("test", index).mean((1, 2, 3))
        np.testing.assert_allclose(means, range(0, 20 * TESTING[name], 20), atol=2)
        assert dataset.labels("test", index).tolist() == LABELS[name]
        np.testing.assert_array_equal(dataset.masks("test", index), masks_of(name))


def test_the_other_of_both_layouts(campus, config):
    shutil.rmtree(campus / "training/videos")
    shutil.rmtree(campus / "testing/frames")
    for name, length in TRAINING.items():
        write_frames(campus / "training/frames" / name, length, first=1)
    for name, length in TESTING.items():
        write_video(campus / f"testing/videos/{name}.avi", range(0, 20 * length, 20))
    dataset = create_dataset(config, 2)
    found = lengths(dataset)
    assert found["train"] | found["validation"] == TRAINING
    assert found["test"] == TESTING
    np.testing.assert_array_equal(dataset.masks("test", 0), masks_of("01_0014"))


def test_each_scene_is_a_data_set_of_its_own(campus, config, log):
    config.data.scene = 1
    dataset = create_dataset(config, 2)
    assert dataset.info.name == "shanghaitech/scene_01"
    assert lengths(dataset) == {
        "train": {"01_001": 6},
        "validation": {"01_002": 5},
        "test": {"01_0014": 6},
    }
    config.data.scene = 2
    assert lengths(create_dataset(config, 2))["test"] == {"02_0128": 5}
    config.data.scene = 1
    create_dataset(config, 2)
    assert log().count("preparing") == 2


def test_without_pixel_masks(campus, config):
    shutil.rmtree(campus / "testing/test_pixel_mask")
    dataset = create_dataset(config, 2)
    assert dataset.labels("test", 0).tolist() == LABELS["01_0014"]
    assert dataset.masks("test", 0) is None


def test_a_frame_that_is_left_out_takes_its_label_and_mask_along(campus, config):
    (campus / "testing/frames/01_0014/001.jpg").write_bytes(b"no image")
    config.data.update(bad_frames="skip", num_frames=1)
    dataset = create_dataset(config, 2)
    videos = dataset.info.videos["test"]
    assert [video.name for video in videos] == ["01_0014_0-0", "01_0014_2-5", "02_0128"]
    assert dataset.labels("test", 1).tolist() == LABELS["01_0014"][2:]
    np.testing.assert_array_equal(dataset.masks("test", 1), masks_of("01_0014")[2:])


def broken(message):
    return pytest.raises(UserError, match=message)


def test_scenes_are_numbered(campus, config):
    for scene in (-1, 14):
        config.data.scene = scene
        with broken(f"data.scene={scene}: must be 0 for all, or 1 to 13"):
            check_source(config)
    config.data.scene = 3
    with broken("data.scene=3: .*training/videos holds no video of it, only of 1, 2, 13"):
        check_source(config)
    config.data.scene = 13
    with broken("data.scene=13: .*testing/frames holds no video of it, only of 1, 2"):
        check_source(config)
    config.data.update(dataset="ucsd_ped2", scene=1)
    with broken("data.scene=1: must be 0: only shanghaitech has scenes"):
        check_source(config)


def test_without_a_source_the_error_says_what_to_get(campus, config):
    config.data.source = ""
    with broken(r"get ShanghaiTech Campus from http.*Luo et al"):
        prepare(config)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("training", "shanghaitech holds no training/ and testing/; get ShanghaiTech"),
        ("training/videos", "training holds neither videos/ nor frames/; get ShanghaiTech"),
        ("testing/frames", "testing holds neither frames/ nor videos/; get ShanghaiTech"),
        ("testing/frames/02_0128", r"test_frame_mask/02_0128\.npy has no video in .*frames; get"),
        (
            "testing/test_frame_mask",
            r"frame_mask/01_0014\.npy is missing and belongs to .*01_0014;",
        ),
        ("testing/test_pixel_mask/02_0128.npy", r"pixel_mask/02_0128\.npy is missing and belongs"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_read(campus, config, missing, message):
    path = campus / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with broken(message):
        check_source(config)


def test_names_of_videos(campus, config):
    for path in (campus / "training/videos").iterdir():
        path.rename(path.with_name(f"video{path.name}"))
    with broken(r"training/videos holds no 01_001\.avi, 01_002\.avi, \.\.\.; get"):
        check_source(config)


@pytest.mark.parametrize(
    ("folder", "array", "message"),
    [
        ("frame", np.zeros(5), r"frame_mask/01_0014\.npy labels 5 frames and the video has 6; one"),
        ("frame", np.arange(6), r"frame_mask/01_0014\.npy does not hold 0 or 1 for each frame"),
        ("frame", np.zeros((6, 2)), r"frame_mask/01_0014\.npy does not hold 0 or 1 for each frame"),
        ("frame", None, r"frame_mask/01_0014\.npy cannot be read as a \.npy file; get it again"),
        ("frame", np.array(["a"]), r"frame_mask/01_0014\.npy does not hold an array of numbers"),
        ("pixel", np.zeros((5, *SIZE)), r"01_0014\.npy holds 5 masks and .*01_0014 6 frames; one"),
        ("pixel", np.zeros((6, 24, 32)), r"01_0014\.npy: the masks are 24x32 and the frames of"),
        ("pixel", np.zeros((6, 64)), r"01_0014\.npy does not hold one mask \(height, width\)"),
        ("pixel", None, r"pixel_mask/01_0014\.npy cannot be read as a \.npy file; get it again"),
    ],
)
def test_labels_and_masks_that_do_not_fit(campus, config, folder, array, message):
    file = campus / f"testing/test_{folder}_mask/01_0014.npy"
    if array is None:
        file.write_bytes(file.read_bytes()[:90])
    else:
        np.save(file, array)
    with broken(message):
        prepare(config)


def test_a_truncated_video(campus, config):
    video = campus / "training/videos/01_001.avi"
    video.write_bytes(video.read_bytes()[:100])
    with broken(r"01_001\.avi (cannot be read as a video|holds no)"):
        prepare(config)
