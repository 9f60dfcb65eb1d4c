"""CUHK Avenue from files in the form of its authors."""

import shutil

import numpy as np
import pytest
import scipy.io
from tiny_data import write_cells, write_video

import main
from vid_jax.errors import UserError
from vid_jax.input_pipeline import check_source, create_dataset
from vid_jax.input_pipeline.prepare import prepare

SIZE = (48, 64)
ABNORMAL = {1: [2, 3, 6], 2: []}  # frames, from 1, of the test videos
LENGTHS = {1: 8, 2: 6}


def masks_of(number: int) -> list[np.ndarray]:
    """One mask a frame; those of abnormal frames have two pixels."""
    masks = np.zeros((LENGTHS[number], *SIZE), np.uint8)
    masks[np.array(ABNORMAL[number], int) - 1, 5, 7:9] = 1
    return list(masks)


@pytest.fixture
def avenue(tmp_path, config):
    """Training videos of 7 and 5 frames, test videos of 8 and 6, one grey value a frame."""
    source = tmp_path / "avenue"
    root = source / "Avenue Dataset"
    write_video(root / "training_videos/01.avi", range(0, 140, 20))
    write_video(root / "training_videos/02.avi", range(100, 200, 20))
    for number, length in LENGTHS.items():
        write_video(root / f"testing_videos/{number:02d}.avi", range(10, 10 + 25 * length, 25))
        folder = root / "ground_truth_demo/testing_label_mask"
        write_cells(folder / f"{number}_label.mat", "volLabel", masks_of(number))
    (root / "testing_videos/._01.avi").write_bytes(b"left by macOS")
    config.data.update(dataset="avenue", source=str(source))
    return root


def write_ano_pred(root):
    """Labels that differ from the masks: frames 2 to 4 and 6 of the first video."""
    return write_cells(root / "avenue.mat", "gt", [[[2, 6], [4, 6]], np.zeros((0, 0))])


def test_videos_labels_and_masks_are_those_of_the_publication(avenue, config):
    dataset = create_dataset(config, 2)
    assert dataset.info.name == "avenue/masks"
    lengths = {s: [(v.name, v.length) for v in v] for s, v in dataset.info.videos.items()}
    assert lengths == {
        "train": [("01", 7)],
        "validation": [("02", 5)],
        "test": [("01", 8), ("02", 6)],
    }
    means = dataset.frames("test", 0).mean((1, 2, 3))
    np.testing.assert_allclose(means, range(10, 210, 25), atol=3)
    assert dataset.labels("test", 0).tolist() == [0, 1, 1, 0, 0, 1, 0, 0]
    assert dataset.labels("test", 1).tolist() == [0] * 6
    for index in (0, 1):
        np.testing.assert_array_equal(dataset.masks("test", index), masks_of(index + 1))
    assert dataset.masks("train", 0) is None


def test_the_other_label_set_has_its_own_labels_and_the_same_masks(avenue, config):
    write_ano_pred(avenue)
    config.data.labels = "ano_pred"
    dataset = create_dataset(config, 2)
    assert dataset.info.name == "avenue/ano_pred"
    assert dataset.labels("test", 0).tolist() == [0, 1, 1, 1, 0, 1, 0, 0]
    assert dataset.labels("test", 1).tolist() == [0] * 6
    np.testing.assert_array_equal(dataset.masks("test", 0), masks_of(1))
    config.data.labels = ""
    assert create_dataset(config, 2).labels("test", 0).tolist() == [0, 1, 1, 0, 0, 1, 0, 0]


def test_masks_may_lie_beside_the_videos_and_the_source_below(avenue, config):
    shutil.move(avenue / "ground_truth_demo", avenue.parent)
    check_source(config)
    shutil.move(avenue.parent / "ground_truth_demo", avenue)
    config.data.source = str(avenue)
    assert prepare(config).info.splits["test"].num_examples == 2


def test_videos_that_moved_are_found_again(avenue, config, log):
    prepare(config)
    config.data.source = str(avenue.parent.rename(avenue.parent.with_name("elsewhere")))
    assert create_dataset(config, 2).labels("test", 0) is not None
    avenue.parent.with_name("elsewhere").rename(avenue.parent.with_name("gone"))
    config.data.source = ""
    prepare(config)
    assert log().count("is prepared again") == 1


def test_browse_through_the_command_line(avenue, config, tmp_path):
    flags = [f"--config.data.{key}={config.data[key]}" for key in ("source", "dir", "num_frames")]
    status = main.main(
        [
            "main.py",
            "--config=configs/memae_avenue.py:cpu",
            "--mode=browse",
            f"--output={tmp_path / 'out'}",
            *flags,
        ]
    )
    assert status == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"browse_train.png", "browse_test.png"}


def broken(message):
    return pytest.raises(UserError, match=message)


def test_without_a_source_the_error_says_what_to_get(avenue, config):
    config.data.source = ""
    with broken(r"get Avenue_Dataset\.zip and ground_truth_demo\.zip from http.*Lu et al"):
        prepare(config)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("training_videos", r"avenue holds no training_videos/ and testing_videos/; get Avenue"),
        ("training_videos/01.avi", r"training_videos/01\.avi is missing; unpack"),
        ("testing_videos/01.avi", r"testing_videos/01\.avi is missing; unpack"),
        ("testing_videos/02.avi", r"2_label\.mat has no video in .*testing_videos"),
        ("ground_truth_demo", r"avenue holds no testing_label_mask/; get Avenue_Dataset"),
        (
            "ground_truth_demo/testing_label_mask/2_label.mat",
            r"2_label\.mat is missing: the masks of .*testing_videos/02\.avi",
        ),
    ],
)
def test_what_is_missing_is_named_before_anything_is_read(avenue, config, missing, message):
    path = avenue / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with broken(message):
        check_source(config)


def test_a_folder_without_videos(avenue, config):
    for path in (avenue / "training_videos").iterdir():
        path.unlink()
    with broken(r"training_videos holds no 01\.avi, 02\.avi"):
        check_source(config)


def test_label_sets_have_names(avenue, config):
    config.data.labels = "official"
    with broken("data.labels='official': must be masks or ano_pred"):
        check_source(config)
    config.data.update(dataset="ucsd_ped2", labels="masks")
    with broken("data.labels='masks': must be empty: ucsd_ped2 has one set of labels"):
        check_source(config)


def test_labels_of_ano_pred_that_are_missing_or_do_not_fit(avenue, config):
    config.data.labels = "ano_pred"
    with broken(r"avenue/avenue\.mat is missing: .*Liu et al\. .*config\.data\.labels at masks"):
        check_source(config)
    path = write_ano_pred(avenue.parent)
    scipy.io.savemat(path, {"ground_truth": np.zeros((2, 1))})
    with broken(r"avenue\.mat: no variable gt, but ground_truth"):
        check_source(config)
    write_cells(path, "gt", [[[2], [4]]])
    with broken(r"avenue\.mat labels 1 videos and there are 2 test videos"):
        check_source(config)
    write_cells(path, "gt", [[[2], [9]], np.zeros((0, 0))])
    with broken(r"avenue\.mat, video 1: range 2:9 does not lie within frames 1:8"):
        prepare(config)


def replace_masks(avenue, masks, variable="volLabel"):
    path = avenue / "ground_truth_demo/testing_label_mask/1_label.mat"
    write_cells(path, variable, masks)
    return path


def test_masks_that_do_not_fit_the_video(avenue, config):
    replace_masks(avenue, masks_of(1)[:-1])
    with broken(r"1_label\.mat holds 7 masks and .*01\.avi 8 frames; one of them is damaged"):
        prepare(config)
    replace_masks(avenue, [mask[::2, ::2] for mask in masks_of(1)])
    with broken(r"1_label\.mat: the masks are 24x32 and the frames of .*01\.avi 48x64"):
        prepare(config)
    replace_masks(avenue, [*masks_of(1)[:-1], np.zeros((2, 2))])
    with broken(r"1_label\.mat does not hold one mask \(height, width\) for each frame"):
        prepare(config)
    replace_masks(avenue, masks_of(1), "labels")
    with broken(r"1_label\.mat: no variable volLabel, but labels; is it the right file\?"):
        prepare(config)
    path = replace_masks(avenue, masks_of(1))
    path.write_bytes(path.read_bytes()[:-20])
    with broken(r"1_label\.mat cannot be read as a \.mat file; get it again"):
        prepare(config)


def test_a_truncated_video(avenue, config):
    video = avenue / "testing_videos/01.avi"
    whole = video.read_bytes()
    video.write_bytes(whole[: len(whole) // 2])
    with broken(r"1_label\.mat holds 8 masks and .*01\.avi \d frames|01\.avi: frame \d cannot be"):
        prepare(config)
    video.write_bytes(whole[:100])
    with broken(r"01\.avi (cannot be read as a video|holds no)"):
        prepare(config)
    config.data.bad_frames = "skip"
    assert prepare(config).info.splits["test"].num_examples == 1
