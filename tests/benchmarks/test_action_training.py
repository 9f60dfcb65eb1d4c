"""The figures of action recognition on small batches; of the times nothing is asserted."""

import json

import numpy as np
import pytest

from benchmarks import action_ablation, action_training
from benchmarks.action_batches import ORDERS, batches, lengths
from vid_jax.errors import UserError


def test_lengths_are_as_published():
    frames = lengths()
    assert (len(frames), frames.min(), frames.max(), np.median(frames)) == (600, 7, 1151, 77)


def test_pooled_batches_are_of_all_sequences_and_of_less_padding():
    padded = {}
    for order in ORDERS:
        dealt = list(batches(order, 20, (64, 128, 256, 512, 1024), 8, 45))
        assert sorted(i for batch in dealt for i in batch["index"]) == list(range(600))
        assert all(batch["length"].max() <= batch["joints"].shape[1] for batch in dealt)
        padded[order] = sum(batch["joints"].shape[1] for batch in dealt)
    assert padded["pooled"] < 0.7 * padded["shuffled"]


def test_an_epoch_is_measured_without_peers(monkeypatch):
    monkeypatch.setattr("benchmarks.alternation._importable", lambda package: False)
    config = action_training.make_config({"model.hidden": 4, "train.batch_size": 2})
    ours, limit = action_training.measure(config, "pooled", rounds=1, number=4)
    assert ours["side"] == "vid_jax"
    assert ours["seconds"] > 0
    assert limit["side"] == "matrix product"


def test_ablations_read_what_is_trained_already(tmp_path, monkeypatch):
    asked = []

    def train(command):
        asked.append(command)
        workdir = next(flag.removeprefix("--workdir=") for flag in command if "workdir" in flag)
        features = next((flag for flag in command if "model.features" in flag), "")
        evaluation = tmp_path.joinpath(workdir, "evaluation")
        evaluation.mkdir(parents=True)
        found = {"top1_accuracy": 0.1 * features.count("'") / 2, "top3_accuracy": 0.9}
        (evaluation / "metrics.json").write_text(json.dumps(found))
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr("subprocess.run", train)
    runs = action_ablation.Runs("configs/x.py", ["--config.train.epochs=1"], tmp_path, 2)
    rows = action_ablation.feature_rows(runs, {"train.epochs": 2})
    assert len(asked) == 2 * len(rows) == 16
    assert [round(10 * row["top-1"]) for row in rows] == [1, 2, 3, 4, 5, 6, 7, 5]
    assert asked[0][-1] == "--config.train.epochs=1"  # what the user says comes last
    assert action_ablation.feature_rows(runs, {"train.epochs": 2}) == rows
    assert len(asked) == 16
    rows = action_ablation.augmentation_rows(runs, {})
    assert [row["augmentation"] for row in rows][:2] == ["none", "rotation_range"]
    assert len(asked) == 16 + 2 * len(rows)
    alone = next(command for command in asked if "augmentation-time_warp" in str(command))
    assert "--config.data.crop=0.0" in alone
    assert not any("time_warp=" in flag for flag in alone)


def test_a_failed_training_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.run", lambda command: type("Done", (), {"returncode": 2}))
    with pytest.raises(UserError, match="features-middle_mcp-seed0: the training failed"):
        action_ablation.feature_rows(action_ablation.Runs("x.py", [], tmp_path, 1), {})
