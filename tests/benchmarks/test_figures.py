"""Every figure on a network that is small enough to compile in a moment; of the times nothing is asserted."""

import pytest

from benchmarks import (
    evaluation,
    input_pipeline,
    memae,
    memory,
    scaling,
    scoring,
    startup,
    train_step,
)
from benchmarks.alternation import Times
from benchmarks.generated_videos import use_generated_videos

TINY = {
    "model.channels": (2, 2, 3, 4),
    "model.memory_slots": 8,
    "model.shrink_threshold": 0.05,
    "data.num_frames": 8,
    "data.frame_size": (16, 16),
    "train.batch_size": 1,
}


@pytest.fixture
def without_torch(monkeypatch):
    """As where the optional peers are not installed."""
    monkeypatch.setattr("benchmarks.alternation._importable", lambda package: False)


def test_arithmetic_of_the_published_network():
    """The layer table's products: 10.9e9 each in the second layer and its mirror image, 32e9 in all."""
    config = memae.make_config(
        "", {"data.frame_size": (256, 256), "train.batch_size": 1, "model.memory_slots": 0}
    )
    assert memae.forward_flops(config) / 2 == pytest.approx(32.15e9, rel=1e-3)
    narrow = memae.make_config(
        "", {"data.frame_size": (128, 128), "train.batch_size": 2, "model.memory_slots": 0}
    )
    assert memae.forward_flops(narrow) == memae.forward_flops(config) / 2


def test_unknown_keys_are_refused():
    with pytest.raises((AttributeError, KeyError), match="frames_size"):
        memae.make_config("", {"data.frames_size": (16, 16)})


@pytest.mark.parametrize("figure", [train_step, scoring])
def test_ours_is_measured_without_a_peer(figure, without_torch):
    ours, limit = figure.measure(memae.make_config("", TINY), rounds=1)
    assert (ours["side"], limit["side"]) == ("vid_jax", "matrix product")
    assert "8x16x16, float32, batch 1" in ours["work"]
    assert 0 < ours["of the limit"] < 1


def test_memory_growth_is_positive(without_torch):
    (ours,) = memory.measure(memae.make_config("", TINY), rounds=1)
    assert ours["idle MB"] > 0
    assert ours["growth MB"] > 0
    assert ours["ours over it"] == 1


def test_startup_names_each_way_to_start(without_torch, monkeypatch):
    monkeypatch.setattr(
        startup,
        "alternate",
        lambda sides, *_, **__: {s.name: Times(9.0, (2.0,), (2.0,)) for s in sides},
    )
    rows = startup.measure(memae.make_config("", TINY), rounds=1)
    assert [row["target"] for row in rows] == ["<= 1.5", "", "", ""]
    for row, name in zip(rows, ("bare", "train_lib", "main.py", "PyTorch")):
        assert name in row["side"]
        assert (row["first run"], row["seconds"], row["over PyTorch"]) == (9, 2, 1)


def test_a_bare_step_starts():
    arguments = {"config": memae.make_config("", TINY).to_json()}
    startup.launch("benchmarks.bare_step:train_step", arguments)()


def test_main_py_starts(tmp_path):
    config = use_generated_videos(memae.make_config("", TINY), tmp_path, test_frames=16)
    arguments = {"config": config.to_json(), "folder": str(tmp_path)}
    startup.launch("benchmarks.first_step:main_py", arguments)()


def test_a_process_that_ends_before_its_step_is_an_error():
    with pytest.raises(RuntimeError, match="this side is broken"):
        startup.launch("tests.benchmarks.recording_sides:fail", {})()


def test_growth_is_relative_to_the_first_setting():
    sides = scaling.sweeps(TINY | {"data.frame_size": (32, 32)})
    assert [side.name for side in sides["data.frame_size"]] == ["16x16", "32x32", "64x64"]
    slots = sides["model.memory_slots"]
    assert [side.name for side in slots] == ["2", "4", "8", "16"]
    times = {side.name: Times(0.0, (n, n), (2.0 * n, 2.0 * n)) for n, side in enumerate(slots, 1)}
    rows = scaling.growth("slots", slots, times)
    assert [row["time over first"] for row in rows] == [1, 2, 3, 4]
    assert [row["CPU time over first"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["arithmetic over first"] == 1


def test_devices_share_one_batch_and_the_same_arithmetic():
    sides = scaling.sweeps(TINY)["devices, batch 4"]
    assert len({side.flops for side in sides}) == 1
    assert len({side.arguments["config"] for side in sides}) == 1
    for side in sides:
        assert f"device_count={side.name}" in side.environment["XLA_FLAGS"]


def test_evaluation_in_parts():
    rows = evaluation.measure(memae.make_config("", TINY), test_frames=20, rounds=1)
    assert [row["part"] for row in rows] == list(evaluation.PARTS)
    assert all(row["frames/s"] > 0 for row in rows)


def test_input_pipeline_beside_the_step():
    config = memae.make_config("", TINY)
    (row,) = input_pipeline.measure(config, [600], steps=5, rounds=1)
    assert row["frames"] == 600
    assert row["windows/s"] > 0
    assert row["times the step"] > 0
