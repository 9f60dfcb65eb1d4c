"""Predicting joints and actions in folders of depth maps, with a network that counts the frames it has seen."""

import csv
import json

import numpy as np
import pytest
from tiny_hands import hand_depth, hand_points, png, write

from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError
from vid_jax.hand_joints import SKELETONS
from vid_jax.input_pipeline.hand_augmentation import Ranges
from vid_jax.input_pipeline.video_reader import iterate_video
from vid_jax.tasks import _pose_action_files
from vid_jax.tasks._hand_crops import CropSettings
from vid_jax.tasks._pose_action_files import inputs, predict

CAMERA, SKELETON, ACTIONS = CAMERAS["msra15"], SKELETONS["msra15"], ("pour_milk", "stir", "write")
SETTINGS = CropSettings(
    CAMERA, SKELETON, ACTIONS, 16, 180.0, "joint", "nearest", ("none",), ("none",), Ranges(), 0
)
EMPTY = np.full((CAMERA.height, CAMERA.width), 0, np.uint16)
OFFSETS = np.arange(63, dtype=np.float32).reshape(21, 3) - 31
BATCH = 2


class Network:
    """Puts joints at fixed places about the centre, and is the surer of class 1 the more frames it has seen."""

    def __init__(self, causal=True):
        self._causal, self.batches = causal, []

    def __call__(self, batch):
        self.batches.append(batch)
        b, t = batch["positions"].shape
        before = batch["state"]["seen"] if "state" in batch else np.zeros(b)
        seen = before[:, None] + np.arange(1, t + 1)
        said = np.log(np.stack([0.5 / (seen + 1), seen / (seen + 1), 0.5 / (seen + 1)], axis=-1))
        outputs = {
            "joints": batch["frames"]["com"][batch["positions"]][..., None, :] + OFFSETS,
            "log_probs": said[np.arange(b), batch["length"] - 1],
        }
        if self._causal:
            outputs["frame_log_probs"] = said
        if "state" in batch:
            outputs["state"] = {"seen": before + batch["length"]}
        return outputs


def write_sequence(folder, frames=7, empty=()):
    for frame in range(frames):
        depth = EMPTY if frame in empty else hand_depth("msra15", hand_points("msra15", "a", frame))
        write(folder / f"depth_{frame}.png", png(depth))
    return folder


def run(source, output, causal=True, streaming=True, **keys):
    network = Network(causal)
    state = {"seen": np.zeros(BATCH)} if streaming else None
    keys = dict(lengths=(4, 16)) | keys
    predict(network, BATCH, source, output, SETTINGS, ACTIONS, state, **keys)
    return network.batches


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def probabilities(output):
    return [
        float(row["stir"]) if row["stir"] else None for row in read(output / "frame_actions.csv")
    ]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_sequence(tmp_path_factory.mktemp("source") / "sequence", 7, empty=(0, 4))


def test_the_state_is_carried_from_batch_to_batch(source, tmp_path, monkeypatch):
    monkeypatch.setattr(_pose_action_files, "_PACKING", 3)
    batches = run(source, tmp_path)
    assert [batch["length"].tolist() for batch in batches] == [[2, 2], [2, 2], [1, 1]]
    assert [batch["state"]["seen"].tolist() for batch in batches] == [[0, 0], [2, 2], [4, 4]]
    assert all(batch["positions"].shape == (BATCH, 3) for batch in batches)
    assert all(len(batch["frames"]["depth"]) == 3 for batch in batches)
    assert batches[0]["frames"]["mask"].tolist() == [1, 1, 0]
    expected = [None, *(n / (n + 1) for n in (1, 2, 3, 3, 4, 5))]
    assert probabilities(tmp_path)[0] is None
    assert probabilities(tmp_path)[1:] == pytest.approx(expected[1:])
    [row] = read(tmp_path / "actions.csv")
    assert (row["sequence"], row["frames"], row["predicted"]) == ("sequence", "7", "stir")
    assert float(row["stir"]) == pytest.approx(5 / 6)


def test_pieces_and_the_whole_say_the_same(source, tmp_path):
    [streamed] = run(source, tmp_path / "streamed")
    [whole] = run(source, tmp_path / "whole", streaming=False)
    assert streamed["positions"].shape == (BATCH, 64)
    assert whole["positions"].shape == (BATCH, 16)
    assert "state" not in whole
    assert whole["positions"][0, :5].tolist() == list(range(5))
    assert whole["mask"].tolist() == [1, 0]
    for name in ("joints.csv", "actions.csv", "frame_actions.csv"):
        files = [(tmp_path / folder / name).read_text() for folder in ("streamed", "whole")]
        assert files[0] == files[1]


def test_recognisers_of_whole_sequences_say_the_same_of_every_frame(source, tmp_path):
    run(source, tmp_path, causal=False, streaming=False)
    assert probabilities(tmp_path) == [None, *[pytest.approx(5 / 6)] * 6]


def test_joints_and_pictures_are_written_beside_the_actions(source, tmp_path):
    run(source, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("joints.csv", "joints.json", "overlays", "overlay.mp4"),
        *("actions.csv", "frame_actions.csv", "actions.png"),
    }
    rows = read(tmp_path / "joints.csv")
    assert [row["frame"] for row in rows] == [str(i) for i in range(7)]
    assert not rows[4]["wrist_x_mm"]
    assert rows[5]["wrist_x_mm"]
    facts = json.loads((tmp_path / "joints.json").read_text())
    assert facts["cube_mm"] == 180
    assert facts["center"] == "detector"
    frames = [image for _, image in iterate_video(tmp_path / "overlay.mp4")]
    assert len(frames) == 7
    assert len({frame.shape for frame in frames}) == 1
    assert frames[0].shape[0] == 2 * CAMERA.height + 36 + 36
    # The bar of the likeliest action grows.
    assert frames[6][-36:].astype(int).sum() > frames[1][-36:].astype(int).sum()


def test_sequences_without_hands_are_refused_and_leave_nothing(tmp_path):
    source = write_sequence(tmp_path / "source", 2, empty=(0, 1))
    for streaming in (True, False):
        with pytest.raises(UserError, match="no hand in any of 2 frames"):
            run(source, tmp_path / "output", streaming=streaming)
    assert not list((tmp_path / "output").iterdir())


def test_inputs_are_sequences_of_depth_maps(source):
    assert inputs(source.parent) == {"sequence": source}
