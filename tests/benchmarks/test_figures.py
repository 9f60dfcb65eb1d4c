"""Every figure on networks that are small enough to compile in a moment; of the times nothing is asserted."""

import argparse
import json

import pytest

from benchmarks import (
    deepprior,
    evaluation,
    input_pipeline,
    memae,
    memory,
    prednet,
    scaling,
    scoring,
    startup,
    systems,
    train_step,
)
from benchmarks.alternation import Times, alternate
from benchmarks.generated_videos import use_generated_videos
from vid_jax.errors import UserError

TINY = {
    "model.channels": (2, 2, 3, 4),
    "model.memory_slots": 8,
    "model.shrink_threshold": 0.05,
    "data.num_frames": 8,
    "data.frame_size": (16, 16),
    "train.batch_size": 1,
}
TINY_PREDNET = {
    "model.stack_sizes": (4, 5),
    "model.A_filter_sizes": (3, 3),
    "model.Ahat_filter_sizes": (3, 3, 3),
    "model.R_filter_sizes": (3, 3, 3),
    "train.layer_loss_weights": (1.0, 0.0, 0.0),
    "data.num_frames": 4,
    "data.frame_size": (8, 16),
    "train.batch_size": 1,
}
TINY_DEEPPRIOR = {
    "model.widths": (4, 8),
    "model.blocks": 1,
    "data.crop_size": 16,
    "train.batch_size": 2,
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


def test_arithmetic_of_the_published_prednet():
    """6.9e9 products a frame of 128x160, and as much for any other frame in proportion to its size."""
    one, other = (
        prednet.make_config("", {"data.num_frames": 2, "data.frame_size": s, "train.batch_size": n})
        for s, n in (((128, 160), 1), ((64, 40), 3))
    )
    assert prednet.forward_flops(one) / 4 == pytest.approx(6.9e9, rel=5e-3)
    assert prednet.forward_flops(other) == prednet.forward_flops(one) * 3 / 8


@pytest.mark.parametrize("system", systems.SYSTEMS.values())
def test_unknown_keys_are_refused(system):
    with pytest.raises((AttributeError, KeyError), match="frames_size"):
        system.make_config("", {"data.frames_size": (16, 16)})


@pytest.mark.parametrize("figure", [train_step, scoring])
@pytest.mark.parametrize(
    ("system", "changes", "work"),
    [
        (memae, TINY, "MemAE 8x16x16, float32, batch 1"),
        (prednet, TINY_PREDNET, "PredNet 4x8x16x3, float32, batch 1"),
        (deepprior, TINY_DEEPPRIOR, "DeepPrior++ 16x16, shared_preactivation, float32, batch 2"),
    ],
)
def test_ours_is_measured_without_a_peer(figure, system, changes, work, without_torch):
    ours, limit = figure.measure(system, system.make_config("", changes), rounds=1)
    assert (ours["side"], limit["side"]) == ("vid_jax", "matrix product")
    assert ours["work"].endswith(work)
    assert 0 < ours["of the limit"] < 1


def test_a_bfloat16_network_has_two_peers():
    float32, bfloat16 = (
        memae.training_peers(memae.make_config("", TINY | {"model.dtype": dtype}))
        for dtype in ("float32", "bfloat16")
    )
    assert [side.name for side in float32] == ["PyTorch float32"]
    assert [side.name for side in bfloat16] == ["PyTorch float32", "PyTorch bfloat16 autocast"]
    assert [side.arguments["autocast"] for side in bfloat16] == [False, True]


def sizes_measured(flags):
    """(system's name, frame size, batch) of every config whose training step the flags ask for."""
    parser = argparse.ArgumentParser()
    systems.add_system_argument(parser)
    systems.add_size_arguments(parser)
    arguments = parser.parse_args(flags)
    return [
        (
            config.task,
            config.data.get("frame_size", config.data.get("crop_size")),
            config.train.batch_size,
        )
        for system in systems.chosen(arguments)
        for config in system.training_configs(systems.size_changes(arguments, system, system.SIZE))
    ]


@pytest.mark.parametrize("figure", [memory, startup])
def test_sizes_of_flags_reach_what_is_measured(figure, monkeypatch):
    measured = []
    monkeypatch.setattr(figure, "measure", lambda config, rounds: measured.append(config) or [])
    monkeypatch.setattr(figure.results, "publish", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["figure", "--frame_size", "16", "24", "--batch_size=3"])
    figure.main()
    assert tuple(measured[0].data.frame_size) == (16, 24)
    assert measured[0].train.batch_size == 3


def test_each_system_is_measured_at_its_own_size_unless_flags_say_otherwise():
    small = ("memae", (64, 96), 8)
    memae_sizes = [("memae", (128, 128), 2)] * 2 + [small]  # float32 and bfloat16
    hands = [("hand_pose", 128, 32)] * 2  # both layouts
    images = ("keyclip", (96, 192), 32)
    assert sizes_measured([]) == [*memae_sizes, ("prednet", (128, 160), 4), *hands, images]
    with pytest.raises(UserError, match="square"):
        sizes_measured(["--systems=deepprior", "--frame_size", "16", "24"])
    assert sizes_measured(["--systems", "memae"]) == memae_sizes
    flags = ["--systems=prednet", "--frame_size", "16", "24", "--batch_size=3"]
    assert sizes_measured(flags) == [("prednet", (16, 24), 3)]


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
    sides = scaling.sweeps(memae, TINY | {"data.frame_size": (32, 32)})
    assert [side.name for side in sides["data.frame_size"]] == ["16x16", "32x32", "64x64"]
    slots = sides["model.memory_slots"]
    assert [side.name for side in slots] == ["2", "4", "8", "16"]
    times = {side.name: Times(0.0, (n, n), (2.0 * n, 2.0 * n)) for n, side in enumerate(slots, 1)}
    rows = scaling.growth("MemAE", "slots", slots, times)
    assert [row["time over first"] for row in rows] == [1, 2, 3, 4]
    assert [row["CPU time over first"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["arithmetic over first"] == 1


def test_prednet_grows_with_frames_in_arithmetic():
    sides = scaling.sweeps(prednet, TINY_PREDNET | {"data.num_frames": 10})["data.num_frames"]
    times = {side.name: Times(0.0, (1.0,), (1.0,)) for side in sides}
    rows = scaling.growth("PredNet", "frames", sides, times)
    assert [row["setting"] for row in rows] == ["5", "10", "20"]
    assert [row["arithmetic over first"] for row in rows] == [1, 2, 4]


def test_compilation_is_timed_at_each_number_of_frames():
    sides = scaling.sweeps(prednet, TINY_PREDNET)["data.num_frames, compilation"]
    frames = [json.loads(side.arguments["config"])["data"]["num_frames"] for side in sides]
    assert frames == [int(side.name) for side in sides] == [2, 4, 8]
    times = alternate(sides[:1], rounds=1, warm_up=0, at_least=0)
    (row,) = scaling.growth("PredNet", "compilation", sides[:1], times)
    assert row["seconds"] > 0
    assert row["arithmetic over first"] is None


def test_devices_share_one_batch_and_the_same_arithmetic():
    sides = scaling.sweeps(memae, TINY)["devices, batch 4"]
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
