"""Predicting hands in folders of depth maps, with a network that answers with joints about the centre."""

import csv
import json
import logging
import shutil

import cv2
import numpy as np
import pytest
from tiny_hands import hand_depth, hand_points, msra_bin, png, write

from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError
from vid_jax.hand_joints import SKELETONS
from vid_jax.input_pipeline.hand_augmentation import Ranges
from vid_jax.input_pipeline.video_reader import iterate_video
from vid_jax.tasks._hand_crops import CropSettings
from vid_jax.tasks._hand_pose_files import inputs, predict

CAMERA, SKELETON = CAMERAS["msra15"], SKELETONS["msra15"]
SETTINGS = CropSettings(
    CAMERA, SKELETON, (), 32, 180.0, "joint", "nearest", ("none",), ("none",), Ranges(), seed=0
)
OFFSETS = np.arange(63, dtype=np.float32).reshape(21, 3) - 31
RESULTS = ["joints.csv", "joints.json", "overlay.mp4", "overlays"]


class Network:
    """Puts joints at fixed places about the centre, and keeps the batches."""

    def __init__(self):
        self.batches = []

    def __call__(self, batch):
        self.batches.append(batch)
        return {"joints": batch["com"][:, None] + OFFSETS, "com": batch["com"]}


def depth_of(frame):
    return hand_depth("msra15", hand_points("msra15", "a", frame))


def write_sequence(folder, frames=7, encode=png, name="depth_{}.png"):
    """Frames 3, 4, ...: the order of their names is not that of their numbers."""
    for frame in range(3, 3 + frames):
        write(folder / name.format(frame), encode(depth_of(frame)))
    return folder


def run(source, output, batch_size=3, settings=SETTINGS, **keys):
    network = Network()
    predict(network, batch_size, source, output, settings, **keys)
    return network.batches


def read_table(output):
    with (output / "joints.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def read_json(output):
    return json.loads((output / "joints.json").read_text())


def centre(row):
    return np.array([float(row[f"centre_{axis}_mm"]) for axis in "xyz"])


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    """A sequence of frames 3 to 14, its results and the batches that the network saw."""
    folder = tmp_path_factory.mktemp("predicted")
    source = write_sequence(folder / "source", frames=12)
    return source, folder / "output", run(source, folder / "output", batch_size=5)


def test_frames_are_in_the_order_of_their_numbers(predicted):
    _, output, _ = predicted
    rows = read_table(output)
    assert [int(row["frame"]) for row in rows] == [*range(3, 15)]
    assert [row["file"] for row in rows] == [f"depth_{frame}.png" for frame in range(3, 15)]


def test_the_hand_is_found_where_it_is(predicted):
    _, output, _ = predicted
    for row in read_table(output):
        points = hand_points("msra15", "a", int(row["frame"]))
        assert np.linalg.norm(centre(row) - points.mean(0)) < 40


def test_joints_are_in_millimetres_and_pixels(predicted):
    _, output, _ = predicted
    for row in read_table(output):
        x, y, z, u, v = (
            float(row[f"index_MCP_{key}"]) for key in ("x_mm", "y_mm", "z_mm", "u_px", "v_px")
        )
        np.testing.assert_allclose([x, y, z], centre(row) + OFFSETS[1], atol=2e-3)
        np.testing.assert_allclose([u, v], [160 + 241.42 * x / z, 120 + 241.42 * y / z], atol=2e-3)


def test_json_says_the_same_and_what_it_is_of(predicted):
    _, output, _ = predicted
    contents, rows = read_json(output), read_table(output)
    assert contents["center"] == "detector"
    assert contents["cube_mm"] == 180
    assert contents["camera"]["name"] == "msra15"
    assert contents["camera"]["fx"] == CAMERA.fx
    assert contents["joint_names"] == [*SKELETON.joints]
    assert [tuple(bone) for bone in contents["bones"]] == SKELETON.bones
    for record, row in zip(contents["frames"], rows, strict=True):
        assert (record["frame"], record["file"]) == (int(row["frame"]), row["file"])
        np.testing.assert_array_equal(record["com"], centre(row))
        wrist = [*record["joints_mm"][0], *record["joints_px"][0]]
        assert wrist == [float(row[f"wrist_{k}"]) for k in ("x_mm", "y_mm", "z_mm", "u_px", "v_px")]


def test_batches_are_of_one_size_and_the_rest_is_masked(predicted):
    _, _, batches = predicted
    spec = SETTINGS.batch_spec(5)
    for batch in batches:
        assert {name: (v.shape, v.dtype) for name, v in batch.items() if name != "mask"} == {
            name: (wanted.shape, wanted.dtype) for name, wanted in spec.items()
        }
    assert [batch["mask"].tolist() for batch in batches] == [[1] * 5, [1] * 5, [1, 1, 0, 0, 0]]
    assert np.concatenate([batch["index"] for batch in batches]).tolist() == [*range(15)]


def test_crops_show_the_hand_in_their_middle(predicted):
    _, _, batches = predicted
    for batch in batches:
        pixels = batch["scale"] * CAMERA.project(batch["com"])[:, :2] + batch["offset"]
        np.testing.assert_allclose(pixels, 16, atol=0.5)
        depth, z = batch["depth"].astype(float), batch["com"][:, 2, None, None]
        assert (np.abs(depth - z) < 90).any((1, 2)).all()


def test_overlays_show_every_frame(predicted):
    _, output, _ = predicted
    names = sorted(path.name for path in (output / "overlays").iterdir())
    assert names == [f"{frame:06d}.png" for frame in range(3, 15)]
    frames = list(iterate_video(output / "overlay.mp4"))
    np.testing.assert_allclose([time for time, _ in frames], np.arange(12) / 10, atol=1e-3)
    image = cv2.imread(str(output / "overlays/000003.png"))[..., ::-1]
    assert np.abs(frames[0][1].astype(float) - image).mean() < 8


def test_nothing_else_is_left(predicted):
    _, output, _ = predicted
    assert sorted(path.name for path in output.iterdir()) == RESULTS


def test_files_of_msra_begin_anywhere_in_the_image(tmp_path, predicted):
    source = write_sequence(tmp_path / "a", 2, msra_bin, "{:06d}_depth.bin")
    for path in source.iterdir():  # of the hand only
        depth = depth_of(int(path.name[:6]))
        path.write_bytes(msra_bin(np.where(depth < 1000, depth, 0)))
    (source / "joint.txt").write_text("not read")
    run(source, tmp_path / "out")
    for row, whole in zip(read_table(tmp_path / "out"), read_table(predicted[1])):
        np.testing.assert_allclose(centre(row), centre(whole), atol=1)
    images = [image for _, image in iterate_video(tmp_path / "out/overlay.mp4")]
    assert len({image.shape for image in images}) == 1


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("alone", [True, False])
def test_an_array_may_hold_a_sequence(tmp_path, predicted, dtype, alone):
    path = tmp_path / "a/depth.npy"
    path.parent.mkdir()
    np.save(path, np.stack([depth_of(frame) for frame in range(3, 8)]).astype(dtype))
    run(path if alone else path.parent, tmp_path / "out")
    rows = read_table(tmp_path / "out")
    assert [(row["frame"], row["file"]) for row in rows] == [
        (str(number), "depth.npy") for number in range(1, 6)
    ]
    for row, other in zip(rows, read_table(predicted[1])):
        np.testing.assert_array_equal(centre(row), centre(other))


@pytest.mark.parametrize(("name", "number"), [("depth_0012.npy", "12"), ("hand.npy", "1")])
def test_a_single_depth_map_needs_no_number(tmp_path, name, number):
    np.save(tmp_path / name, depth_of(3))
    run(tmp_path / name, tmp_path / "out")
    assert [row["frame"] for row in read_table(tmp_path / "out")] == [number]


def test_a_frame_without_a_hand_has_empty_cells(tmp_path, caplog):
    source = write_sequence(tmp_path / "a", 5)
    for frame in (4, 5):
        write(source / f"depth_{frame}.png", png(np.full((240, 320), 4000, np.uint16)))
    with caplog.at_level(logging.WARNING):
        batches = run(source, tmp_path / "out", batch_size=2)
    assert [batch["mask"].sum() for batch in batches] == [1, 1, 1]
    rows, records = read_table(tmp_path / "out"), read_json(tmp_path / "out")["frames"]
    assert [row["wrist_u_px"] == "" for row in rows] == [False, True, True, False, False]
    assert {*list(rows[1].values())[2:]} == {""}
    assert records[1] == {
        "frame": 4,
        "file": "depth_4.png",
        "com": None,
        "joints_mm": None,
        "joints_px": None,
    }
    assert np.linalg.norm(centre(rows[3]) - hand_points("msra15", "a", 6).mean(0)) < 40
    assert len([*(tmp_path / "out/overlays").iterdir()]) == 5
    (message,) = caplog.messages
    assert "no hand in 2 of 5 frames" in message
    assert "depth_4.png: no hand found" in message


@pytest.mark.parametrize(
    "lines",
    [
        ["1 -2 450", "invalid invalid invalid", "3,-2,452"],
        ["# centres", "depth_4.png invalid", "", "a/depth_3.png 1 -2 450", "depth_5 3 -2 452"],
        ["5\t3\t-2\t452", "000003 1 -2 450", "77 0 0 400"],
    ],
    ids=["in order", "by file", "by number"],
)
def test_centres_may_be_given(tmp_path, lines):
    source, centres = write_sequence(tmp_path / "a", 3), tmp_path / "centres.txt"
    centres.write_text("\n".join([*lines, ""]))
    run(source, tmp_path / "out", com=str(centres))
    rows = read_table(tmp_path / "out")
    assert centre(rows[0]).tolist() == [1, -2, 450]
    assert rows[1]["centre_x_mm"] == ""
    assert centre(rows[2]).tolist() == [3, -2, 452]
    assert read_json(tmp_path / "out")["center"] == "file centres.txt"


def test_a_centre_away_from_what_was_measured_is_no_hand(tmp_path, caplog):
    source, centres = write_sequence(tmp_path / "a", 3), tmp_path / "centres.txt"
    centres.write_text("0 0 450\n0 0 800\n0 0 0\n")
    run(source, tmp_path / "out", com=str(centres))
    rows = read_table(tmp_path / "out")
    assert [row["centre_x_mm"] == "" for row in rows] == [False, True, True]
    assert "depth_4.png: the cube of 180 mm" in caplog.text


def test_a_refined_centre_is_named(tmp_path):
    run(write_sequence(tmp_path / "a", 1), tmp_path / "out", refined=True)
    assert read_json(tmp_path / "out")["center"] == "detector, refined"


@pytest.mark.parametrize(
    ("given", "trained", "wanted"), [(150, 180, 150), (0, 180, 180), (0, 0, 200)]
)
def test_the_cube_is_the_given_or_the_trained_one(tmp_path, given, trained, wanted):
    settings = CropSettings(**vars(SETTINGS) | {"cube": float(trained)})
    source = write_sequence(tmp_path / "a", 1)
    (batch,) = run(source, tmp_path / "out", settings=settings, cube=float(given))
    assert batch["cube"].tolist() == [wanted] * 3
    assert read_json(tmp_path / "out")["cube_mm"] == wanted


def test_another_camera_sees_the_same_hand(tmp_path):
    """Crops are handed to the network in pixels of the camera it was trained with."""
    points = hand_points("fhad", "a", 0)
    write(tmp_path / "a/0.png", png(hand_depth("fhad", points)))
    (batch,) = run(tmp_path / "a", tmp_path / "out", camera="fhad")
    com = batch["com"][0].astype(float)
    assert np.linalg.norm(com - points.mean(0)) < 40
    middle, right, below = (
        batch["scale"][0] * CAMERA.project(com + np.array(move))[:2] + batch["offset"][0]
        for move in ((0, 0, 0), (90, 0, 0), (0, 90, 0))
    )
    np.testing.assert_allclose(middle, 16, atol=0.5)
    np.testing.assert_allclose([*(right - middle), *(below - middle)], [16, 0, 0, 16], atol=0.3)
    (row,) = read_table(tmp_path / "out")
    joint = com + OFFSETS[0]
    wanted = [
        CAMERAS["fhad"].cx + CAMERAS["fhad"].fx * joint[0] / joint[2],
        CAMERAS["fhad"].cy + CAMERAS["fhad"].fy * joint[1] / joint[2],
    ]
    np.testing.assert_allclose([float(row[f"wrist_{k}_px"]) for k in "uv"], wanted, atol=2e-3)


def test_a_camera_may_be_given_by_numbers(tmp_path):
    source = write_sequence(tmp_path / "a", 1)
    run(source, tmp_path / "out", camera="241.42,241.42,160,120,320x240")
    assert read_json(tmp_path / "out")["camera"]["width"] == 320


def test_an_error_leaves_earlier_results_whole(tmp_path):
    source = write_sequence(tmp_path / "a", 4)
    run(source, tmp_path / "out")
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    (source / "depth_6.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"depth_6\.png cannot be decoded"):
        run(source, tmp_path / "out", cube=150.0)
    assert before == {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    with pytest.raises(UserError):
        run(source, tmp_path / "new")
    assert not [*(tmp_path / "new").iterdir()]


@pytest.mark.parametrize(
    ("name", "write_bad", "message"),
    [
        ("7.png", lambda p: write(p, png(depth_of(7).astype(np.uint8))), r"7\.png holds 8-bit"),
        ("7.npy", lambda p: np.save(p, depth_of(7) / 1000), r"7\.npy holds .* looks like metres"),
        ("7.npy", lambda p: np.save(p, depth_of(7)[None]), r"7\.npy is an array of shape \(1,"),
        (
            "7.png",
            lambda p: write(p, png(depth_of(7)[:, :300])),
            r"a/7\.png is 240x300 .* msra15 240x320.*--camera=",
        ),
        ("depth.png", lambda p: write(p, png(depth_of(7))), r"depth\.png: no number in the name"),
        ("b_4.npy", lambda p: np.save(p, depth_of(7)), r"frame 4 is there twice, b_4\.npy"),
    ],
)
def test_a_bad_file_is_named(tmp_path, name, write_bad, message):
    source = write_sequence(tmp_path / "a", 3)
    write_bad(source / name)
    with pytest.raises(UserError, match=message):
        run(source, tmp_path / "out")
    assert not (tmp_path / "out").exists() or not [*(tmp_path / "out").iterdir()]


def test_a_bad_frame_of_an_array_is_named(tmp_path):
    depth = np.stack([depth_of(3), depth_of(4)]).astype(np.float32)
    depth[1, 0, 0] = np.nan
    np.save(tmp_path / "a.npy", depth)
    with pytest.raises(UserError, match=r"a\.npy, frame 2, holds depth that is NaN"):
        run(tmp_path / "a.npy", tmp_path / "out")


def test_no_hand_at_all_is_an_error(tmp_path):
    for frame in range(3):
        write(tmp_path / f"a/{frame}.png", png(np.full((240, 320), 4000, np.uint16)))
    with pytest.raises(UserError, match=r"no hand in any of 3 frames; the first, 0\.png: no hand"):
        run(tmp_path / "a", tmp_path / "out")
    assert not [*(tmp_path / "out").iterdir()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 450\n", r"has 1 centres for 3 frames"),
        ("0 0 450\n0 0\n0 0 450\n", r"centres\.txt, line 2: '0 0' is not x y z"),
        ("0 0 450\n0 0 far\n0 0 450\n", r"line 2: '0 0 far' is not x y z"),
        ("3 0 0 450 1\n", r"line 1: '3 0 0 450 1' is not x y z"),
        ("3 0 0 450\n0 0 450\n", r"begin with the frame's name, all or none"),
        ("3 0 0 450\n003 0 0 450\n", r"a frame is there twice"),
        ("0 0 0.45\n0 0 0.5\n0 0 0.4\n", r"in mm, not in metres"),
        ("90 0 0 450\n", r"no hand in any of 3 frames; .*centres\.txt gives no centre"),
        (None, r"centres\.txt is missing"),
    ],
)
def test_a_bad_file_of_centres_is_refused(tmp_path, text, message):
    source, centres = write_sequence(tmp_path / "a", 3), tmp_path / "centres.txt"
    if text:
        centres.write_text(text)
    with pytest.raises(UserError, match=message):
        run(source, tmp_path / "out", com=str(centres))


def test_bad_settings_are_refused(tmp_path):
    source = write_sequence(tmp_path / "a", 1)
    with pytest.raises(UserError, match=r"camera 'kinect' is unknown"):
        run(source, tmp_path / "out", camera="kinect")
    with pytest.raises(UserError, match=r"config\.predict\.cube=-5: must be above 0"):
        run(source, tmp_path / "out", cube=-5.0)
    assert not (tmp_path / "out").exists()


def test_inputs_are_files_folders_or_folders_of_folders(tmp_path):
    write(tmp_path / "P0/1/000000_depth.bin", b"")
    write(tmp_path / "P0/1/joint.txt", b"")
    write(tmp_path / "P0/2/000000_depth.bin", b"")
    write(tmp_path / "walk/depth_0.PNG", b"")
    write(tmp_path / ".trash/0.png", b"")
    write(tmp_path / "notes/a.txt", b"")
    assert inputs(tmp_path) == {
        "P0_1": tmp_path / "P0/1",
        "P0_2": tmp_path / "P0/2",
        "walk": tmp_path / "walk",
    }
    assert inputs(tmp_path / "walk") == {"walk": tmp_path / "walk"}
    file = tmp_path / "walk/depth_0.PNG"
    assert inputs(file) == {"depth_0.PNG": file}


def test_inputs_say_what_is_wanted(tmp_path):
    write(tmp_path / "a/b_c/notes.txt", b"")
    with pytest.raises(UserError, match=r"nowhere does not exist"):
        inputs(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"holds no depth maps: wanted is a 16-bit \.png"):
        inputs(tmp_path)
    with pytest.raises(UserError, match=r"notes\.txt is no depth map: wanted"):
        inputs(tmp_path / "a/b_c/notes.txt")
    write(tmp_path / "a/b_c/0.png", b"")
    shutil.copytree(tmp_path / "a/b_c", tmp_path / "a_b/c")
    with pytest.raises(UserError, match=r"would both be a_b_c; rename one"):
        inputs(tmp_path)


def test_a_black_depth_map_is_a_frame_without_a_hand(tmp_path):
    source = write_sequence(tmp_path / "a", 2)
    write(source / "7.png", png(np.zeros((CAMERA.height, CAMERA.width), np.uint16)))
    run(source, tmp_path / "out")
    frames = read_json(tmp_path / "out")["frames"]
    assert [frame["joints_mm"] is None for frame in frames] == [False, False, True]
