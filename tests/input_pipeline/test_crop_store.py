"""The crops of prepared data sets: what is stored, and when it is made anew."""

import json
import shutil

import numpy as np
import pytest
import tiny_hands
from tiny_hands import hand_depth, hand_points, msra_bin, numbers

from vid_jax import default_config
from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError
from vid_jax.hand_joints import SKELETONS
from vid_jax.input_pipeline.crop_store import open_crop_store
from vid_jax.input_pipeline.depth_files import DepthMap
from vid_jax.input_pipeline.hand_crop import bounds, crop
from vid_jax.input_pipeline.hand_detector import detect_hand
from vid_jax.input_pipeline.prepare import prepare

CUBES = {"msra15": 200, "fhad": 200, "nyu": 300}
SIZE = 32


def config_of(folder, dataset, **changes):
    config = default_config.hands()
    config.data.update(
        dataset=dataset,
        source=str(folder / dataset),
        dir=str(folder / "prepared"),
        crop_size=SIZE,
        **changes,
    )
    return config


def open_store(config):
    return open_crop_store(prepare(config), config)


def write_source(folder, dataset):
    getattr(tiny_hands, f"write_{dataset}")(folder / dataset)


def depth_of(dataset, sequence, frame):
    """As `tiny_hands` wrote it, the whole image."""
    background = {"background": 0} if dataset == "msra15" else {}
    return DepthMap(hand_depth(dataset, hand_points(dataset, sequence, frame), **background))


def frames_of(store):
    """Sequence, as `tiny_hands` names it, and number of each frame."""
    name = "split" if store.name == "nyu" else "sequence"
    return [*zip(store.fields[name].tolist(), store.fields["frame"].tolist(), strict=True)]


def folders(folder):
    return {p for p in (folder / "prepared/crop_store").iterdir() if not p.name.startswith(".")}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Tiny data sets that no test changes, prepared once."""
    folder = tmp_path_factory.mktemp("crops")
    for dataset in CUBES:
        write_source(folder, dataset)
    return folder


@pytest.fixture
def msra(tmp_path):
    """A configuration of four frames of MSRA15 that a test may change."""
    tiny_hands.write_msra15(tmp_path / "msra15", ("P0", "P3"), ("1",), frames=2)
    return config_of(tmp_path, "msra15")


@pytest.mark.parametrize("dataset", CUBES)
def test_crops_are_those_about_the_reference_joint(prepared, dataset):
    store = open_store(config_of(prepared, dataset))
    assert store.crops.shape == (len(store.fields["frame"]), SIZE, SIZE)
    assert store.crops.dtype == np.uint16
    assert (store.camera, store.skeleton) == (CAMERAS[dataset], SKELETONS[dataset])
    for row, (sequence, frame) in enumerate(frames_of(store)):
        known = {name: values[row] for name, values in store.fields.items()}
        joints = hand_points(dataset, sequence, frame)
        np.testing.assert_allclose(known["joints"], joints, atol=1e-3)
        np.testing.assert_array_equal(known["com"], known["joints"][store.skeleton.reference])
        assert known["cube"] == CUBES[dataset]
        depth_map = depth_of(dataset, sequence, frame)
        wanted = crop(depth_map, store.camera, known["com"], CUBES[dataset], SIZE)
        np.testing.assert_array_equal(store.crops[row], wanted.depth)
        np.testing.assert_allclose(known["scale"], wanted.scale, rtol=1e-6)
        np.testing.assert_allclose(known["offset"], wanted.offset, rtol=1e-6)
        pixel = known["scale"] * store.camera.project(known["com"])[:2] + known["offset"]
        np.testing.assert_allclose(pixel, SIZE / 2, atol=1)


def test_frames_are_in_published_order(prepared):
    store = open_store(config_of(prepared, "msra15"))
    assert frames_of(store) == sorted(frames_of(store))
    assert len(set(frames_of(store))) == 3 * 2 * 4
    assert store.fields["subject"].tolist() == [s[:2] for s, _ in frames_of(store)]


def test_cubes_are_those_of_the_subjects_or_one_for_all(msra):
    assert open_store(msra).fields["cube"].tolist() == [200, 200, 180, 180]
    msra.data.cube = 150.0
    store = open_store(msra)
    assert store.fields["cube"].tolist() == [150] * 4


def test_centres_of_depth(prepared):
    store = open_store(config_of(prepared, "fhad", center="depth"))
    for row, (sequence, frame) in enumerate(frames_of(store)):
        joints = store.fields["joints"][row].astype(np.float64)
        box = bounds("cube", joints[store.skeleton.reference], 200, store.camera)
        depth = depth_of("fhad", sequence, frame).depth
        rows, columns = np.nonzero((depth >= box.near) & (depth <= box.far))
        inside = (columns >= box.left) & (columns < box.right)
        inside &= (rows >= box.top) & (rows < box.bottom)
        rows, columns = rows[inside], columns[inside]
        mean = np.array([columns.mean(), rows.mean(), depth[rows, columns].mean()])
        np.testing.assert_allclose(
            store.fields["com"][row], store.camera.unproject(mean), rtol=1e-5
        )


def test_centres_of_the_detector_take_nothing_from_the_labels(tmp_path):
    tiny_hands.write_msra15(tmp_path / "msra15", ("P0",), ("1",), frames=2)
    config = config_of(tmp_path, "msra15", center="detector")
    before = open_store(config)
    for row, (sequence, frame) in enumerate(frames_of(before)):
        com = detect_hand(depth_of("msra15", sequence, frame), before.camera, 200)
        np.testing.assert_allclose(before.fields["com"][row], com, rtol=1e-6)
    change_labels(tmp_path / "msra15/P0/1", {0: [5, 5, 5], 1: [5, 5, 5]})
    after = open_store(config)
    assert not np.allclose(after.fields["joints"], before.fields["joints"])
    np.testing.assert_array_equal(after.fields["com"], before.fields["com"])
    np.testing.assert_array_equal(after.crops, before.crops)


def change_labels(folder, shifts):
    """Shifts the joints of some frames by (x, y, z) in mm, y up and z to the camera as published."""
    first, *lines = (folder / "joint.txt").read_text().split("\n")
    for frame, shift in shifts.items():
        lines[frame] = numbers(np.float64(lines[frame].split()).reshape(-1, 3) + shift)
    (folder / "joint.txt").write_text("\n".join([first, *lines]))


def test_a_second_opening_builds_nothing(msra, tmp_path, log):
    first = open_store(msra)
    (folder,) = folders(tmp_path)
    time = (folder / "crops.bin").stat().st_mtime_ns
    second = open_store(msra)
    assert log().count("building the crop store") == 1
    assert (folder / "crops.bin").stat().st_mtime_ns == time
    np.testing.assert_array_equal(first.crops, second.crops)
    assert first.fingerprint == second.fingerprint


def test_each_setting_has_its_own(msra, tmp_path):
    changes = [
        {},
        {"crop_size": 40},
        {"cube": 190.0},
        {"crop": "joint_rectangle"},
        {"interpolation": "bilinear"},
        {"center": "depth"},
    ]
    prints = []
    for change in changes:
        config = msra.copy_and_resolve_references()
        config.data.update(change)
        prints.append(open_store(config).fingerprint)
    assert len(folders(tmp_path)) == len({*prints}) == len(changes)
    indices = [json.loads((folder / "index.json").read_text()) for folder in folders(tmp_path)]
    assert {index["settings"]["crop"] for index in indices} == {"cube", "joint_rectangle"}


def test_crops_about_the_joints_are_stored_too(prepared):
    store = open_store(config_of(prepared, "fhad", crop="joint_rectangle"))
    assert (store.fields["scale"][:, 0] != store.fields["scale"][:, 1]).any()
    sequence, frame = frames_of(store)[0]
    joints = store.fields["joints"][0]
    wanted = crop(
        depth_of("fhad", sequence, frame),
        store.camera,
        store.fields["com"][0],
        200,
        SIZE,
        "joint_rectangle",
        joints=joints,
    )
    np.testing.assert_array_equal(store.crops[0], wanted.depth)


def test_a_replaced_file_is_seen(msra, tmp_path):
    before = open_store(msra)
    file = tmp_path / "msra15/P3/1/000001_depth.bin"
    depth = hand_depth("msra15", hand_points("msra15", "P3/1", 1), background=0)
    depth[depth > 0] += 7
    file.write_bytes(msra_bin(depth))
    after = open_store(msra)
    assert after.fingerprint != before.fingerprint
    np.testing.assert_array_equal(after.crops[:3], before.crops[:3])
    np.testing.assert_array_equal(after.crops[3], before.crops[3] + 7 * (before.crops[3] > 0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "000000_depth.bin").unlink(), "000000_depth.bin is missing"),
        (
            lambda f: shutil.copy(f / "000000_depth.bin", f / "000007_depth.bin"),
            "000007_depth.bin has no joints",
        ),
        (
            lambda f: (f / "000001_depth.bin").rename(f / "000002_depth.bin"),
            "000001_depth.bin is missing",
        ),
    ],
)
def test_files_that_went_or_came_are_named(msra, tmp_path, change, words):
    open_store(msra)
    change(tmp_path / "msra15/P3/1")
    with pytest.raises(UserError, match=words):
        open_store(msra)


def test_a_cube_without_a_pixel_is_named_with_its_frame(msra, tmp_path):
    change_labels(tmp_path / "msra15/P3/1", {1: [0, 0, 300]})
    with pytest.raises(UserError, match=r"P3/1, frame 1: the cube of 180 mm .*bad_frames=skip"):
        open_store(msra)
    assert not [f for f in folders(tmp_path) if (f / "index.json").exists()]


def test_frames_that_are_left_out_are_named_and_missed_later(msra, tmp_path, log):
    change_labels(tmp_path / "msra15/P3/1", {1: [0, 0, 300]})
    msra.data.bad_frames = "skip"
    store = open_store(msra)
    assert frames_of(store) == [("P0/1", 0), ("P0/1", 1), ("P3/1", 0)]
    assert len(store.crops) == 3
    assert "left out: P3/1, frame 1: the cube of 180 mm" in log()
    msra.data.bad_frames = "error"
    with pytest.raises(UserError, match="P3/1, frame 1"):
        open_store(msra)


def test_when_no_frame_is_left_that_is_said(tmp_path):
    tiny_hands.write_msra15(tmp_path / "msra15", ("P0",), ("1",), frames=2)
    change_labels(tmp_path / "msra15/P0/1", {0: [0, 0, 300], 1: [0, 0, 300]})
    with pytest.raises(UserError, match=r"msra15.*no frame could be used"):
        open_store(config_of(tmp_path, "msra15", bad_frames="skip"))


@pytest.mark.parametrize("file", ["crops.bin", "index.json"])
def test_a_truncated_store_is_rebuilt(msra, tmp_path, file):
    expected = open_store(msra).crops[:].copy()
    (folder,) = folders(tmp_path)
    (folder / file).write_bytes((folder / file).read_bytes()[:50])
    np.testing.assert_array_equal(open_store(msra).crops, expected)


def test_a_few_depth_maps_are_kept_as_they_came(prepared):
    store = open_store(config_of(prepared, "msra15"))
    assert 4 <= len(store.raw) <= 8
    for row, depth, (left, top) in store.raw:
        image = depth_of("msra15", *frames_of(store)[row]).depth
        height, width = depth.shape
        np.testing.assert_array_equal(depth, image[top : top + height, left : left + width])
        assert (depth > 0).sum() == (image > 0).sum()


def test_a_full_disk_is_told_before_anything_is_written(msra, monkeypatch):
    builder = prepare(msra)
    need = 4 * SIZE * SIZE * 2
    usage = shutil.disk_usage("/")._replace(free=need - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=rf"crop_store needs {need:,} bytes for 4 crops and"):
        open_crop_store(builder, msra)
