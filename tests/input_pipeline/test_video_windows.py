import itertools
import math
import pathlib
import subprocess
import sys

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from tiny_data import write_ped, write_video

from vid_jax import default_config
from vid_jax.errors import UserError
from vid_jax.input_pipeline import create_dataset
from vid_jax.input_pipeline.frame_store import StoredVideo, open_frame_store
from vid_jax.input_pipeline.prepare import prepare
from vid_jax.input_pipeline.video_windows import VideoWindows

PED2 = pathlib.Path(__file__).parents[3] / "shared" / "data" / "ucsd_ped2"


@pytest.fixture
def dataset(ped, config):
    return create_dataset(config, 3)


def windows_of(dataset, split):
    """All windows of a split, in order, as tuples of bytes that tell them apart."""
    size = dataset.info.num_frames
    for index, video in enumerate(dataset.info.videos[split]):
        frames = dataset.frames(split, index)
        for start in range(video.length - size + 1):
            yield frames[start : start + size].tobytes()


def steps(dataset, start, count):
    return [batch["video"] for batch in itertools.islice(dataset.train_batches(start), count)]


def keys(batches):
    return [window.tobytes() for batch in batches for window in batch]


def test_the_shortest_training_video_is_held_out(dataset):
    names = {split: [v.name for v in videos] for split, videos in dataset.info.videos.items()}
    assert names == {
        "train": ["Train001", "Train003"],
        "validation": ["Train002"],
        "test": ["Test001", "Test002"],
    }
    assert dataset.info.num_examples == {"train": 6 + 5, "validation": 4, "test": 3 + 7}
    assert dataset.info.steps_per_epoch == 4


def test_the_stream_is_a_permutation_of_all_windows_after_another(dataset):
    stream = keys(steps(dataset, 0, 11))  # three epochs of 11 windows
    epochs = [stream[:11], stream[11:22], stream[22:]]
    assert all(sorted(epoch) == sorted(windows_of(dataset, "train")) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A store of tiny Ped2 files and the configuration that it was made from."""
    folder = tmp_path_factory.mktemp("opened")
    config = default_config.get_config()
    config.data.update(
        dataset="ucsd_ped2",
        source=str(write_ped(folder / "ped")),
        dir=str(folder / "prepared"),
        frame_size=(6, 8),
        num_frames=4,
    )
    return open_frame_store(prepare(config), config), config


class RowStore:
    """A frame store of 1x1 frames that hold their row numbers, of videos of the given lengths."""

    name, fingerprint = "rows", ""

    def __init__(self, **lengths: list[int]):
        self.videos = []
        for split, split_lengths in lengths.items():
            for index, length in enumerate(split_lengths):
                start = self.videos[-1].start + self.videos[-1].length if self.videos else 0
                self.videos.append(StoredVideo(split, f"{split}{index}", start, length))
        self.timestamps = np.full(self.videos[-1].start + self.videos[-1].length, np.nan)

    def windows(self, rows, num_frames, steps=None):
        steps = np.ones_like(rows) if steps is None else steps
        frames = rows[:, None] + steps[:, None] * np.arange(num_frames)
        return frames.astype(np.uint8)[..., None, None, None]


def row_windows(store, batch_size=4, seed=0, **data):
    config = default_config.get_config()
    config.seed = seed
    config.data.update({"frame_size": (1, 1), "num_frames": 4, **data})
    return VideoWindows(store, config, batch_size)


@hypothesis.settings(max_examples=8, deadline=None)
@hypothesis.given(
    samples=st.integers(1, 200), batch_size=st.integers(1, 8), step=st.integers(0, 10**6)
)
def test_the_samples_of_an_epoch_do_not_change_the_stream(samples, batch_size, step):
    store = RowStore(train=[5, 9, 12, 8], test=[6])
    whole = row_windows(store, batch_size, flip_probability=0.5)
    short = row_windows(store, batch_size, flip_probability=0.5, samples_per_epoch=samples)
    assert short.info.steps_per_epoch == math.ceil(samples / batch_size)
    assert short.info.num_examples == whole.info.num_examples
    np.testing.assert_array_equal(steps(short, step, 3), steps(whole, step, 3))


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(
    lengths=st.lists(st.integers(4, 9), min_size=2, max_size=40),
    seed=st.integers(-(2**31), 2**31),
    fraction=st.floats(0.001, 0.999),
)
def test_a_fraction_of_whole_videos_is_drawn_by_the_seed(lengths, seed, fraction):
    store = RowStore(train=lengths, test=[4])
    settings = {"seed": seed, "validation": "fraction", "validation_fraction": fraction}
    videos = row_windows(store, **settings).info.videos
    names = {split: [video.name for video in videos[split]] for split in videos}
    assert sorted(names["train"] + names["validation"]) == sorted(
        video.name for video in store.videos if video.split == "train"
    )
    count = len(names["validation"])
    assert 1 <= count <= len(lengths) - 1
    assert abs(count - fraction * len(lengths)) <= 1
    again = row_windows(store, **settings).info.videos
    assert [video.name for video in again["validation"]] == names["validation"]


def test_the_draw_is_of_a_fifth_by_default_and_seeds_differ():
    store = RowStore(train=[4] * 35, test=[4])
    draws = {
        tuple(video.name for video in row_windows(store, **s).info.videos["validation"])
        for s in ({"validation": "fraction", "seed": seed} for seed in range(20))
    }
    assert {len(draw) for draw in draws} == {7}
    assert len(draws) == 20
    assert len(set(itertools.chain(*draws))) > 30


def test_the_end_of_a_single_video_is_the_fraction():
    store = RowStore(train=[100], test=[4])
    dataset = row_windows(store, validation="fraction", validation_fraction=0.3)
    assert [dataset.info.videos[s][0].length for s in ("train", "validation")] == [70, 30]


def test_a_validation_split_of_its_own_is_used():
    store = RowStore(train=[8, 5], validation=[9, 6], test=[7])
    dataset = row_windows(store)
    assert dataset.info.num_examples == {"train": 7, "validation": 9, "test": 4}
    assert [video.name for video in dataset.info.videos["validation"]] == [
        "validation0",
        "validation1",
    ]


@hypothesis.settings(max_examples=12, deadline=None)
@hypothesis.given(sequences=st.integers(1, 60), batch_size=st.integers(1, 7))
def test_validation_sequences_are_spread_evenly(sequences, batch_size):
    store = RowStore(train=[8], validation=[23, 12, 17], test=[7])
    whole, some = (row_windows(store, batch_size, validation_sequences=n) for n in (0, sequences))
    count = min(sequences, 20 + 9 + 14)
    assert some.info.num_examples["validation"] == count
    assert some.info.num_examples["train"] == whole.info.num_examples["train"]
    every, chosen = (
        [
            window.tobytes()
            for batch in dataset.eval_batches("validation")
            for window, real in zip(batch["video"], batch["mask"], strict=True)
            if real
        ]
        for dataset in (whole, some)
    )
    places = [every.index(window) for window in chosen]
    assert len(places) == count
    gaps = set(np.diff([*places, len(every)]))
    assert gaps <= {len(every) // count, -(-len(every) // count)}


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(data=st.data())
def test_test_windows_cover_every_frame_of_every_video(data):
    size = data.draw(st.integers(1, 12), "eval_num_frames")
    overlap = data.draw(st.integers(0, size - 1), "eval_overlap")
    lengths = data.draw(st.lists(st.integers(size, 50), min_size=1, max_size=4), "lengths")
    store = RowStore(train=[8], validation=[8], test=lengths)
    dataset = row_windows(store, eval_num_frames=size, eval_overlap=overlap, stride=3)
    assert dataset.info.eval_num_frames == size
    assert dataset.info.num_frames == 4
    starts = [[] for _ in lengths]
    for batch in dataset.eval_batches("test"):
        assert batch["video"].shape[1:] == (size, 1, 1, 1)
        for i in np.flatnonzero(batch["mask"]):
            video, start = batch["video_index"][i], batch["start"][i]
            first = dataset.info.videos["test"][video].start + start
            assert batch["video"][i].ravel().tolist() == list(range(first, first + size))
            starts[video].append(int(start))
    assert sum(map(len, starts)) == dataset.info.num_examples["test"]
    for length, found in zip(lengths, starts, strict=True):
        assert found[0] == 0
        assert found[-1] == length - size
        *regular, last = np.diff(found) if len(found) > 1 else [1]
        assert all(gap == size - overlap for gap in regular)
        assert 1 <= last <= size - overlap


def test_test_windows_are_as_in_training_by_default(dataset):
    assert dataset.info.eval_num_frames == dataset.info.num_frames == 4
    assert dataset.info.num_examples["test"] == 3 + 7


def test_a_test_video_shorter_than_a_test_window(log):
    store = RowStore(train=[4, 4], test=[9, 12])
    with pytest.raises(UserError, match=r"test: test0 has 9 frames, .*\.data\.eval_num_frames=10"):
        row_windows(store, eval_num_frames=10)
    dataset = row_windows(store, eval_num_frames=10, bad_frames="skip")
    assert [video.name for video in dataset.info.videos["test"]] == ["test1"]
    assert "test0 has 9 frames, fewer than config.data.eval_num_frames=10" in log()


@hypothesis.settings(max_examples=8, deadline=None)
@hypothesis.given(
    seed=st.integers(0, 2**31),
    batch_size=st.integers(1, 30),
    num_frames=st.integers(1, 6),
    step=st.integers(0, 10**9),
    probability=st.sampled_from([0.0, 0.5]),
)
def test_any_step_is_resumed_at_once(opened, seed, batch_size, num_frames, step, probability):
    store, config = opened
    config = config.copy_and_resolve_references()
    config.seed = seed
    config.data.update(num_frames=num_frames, flip_probability=probability)
    config.data.pseudo_anomaly_probability = probability
    dataset = VideoWindows(store, config, batch_size)
    for part, whole in zip(steps(dataset, step + 2, 2), steps(dataset, step, 4)[2:], strict=True):
        np.testing.assert_array_equal(part, whole)


def test_the_order_depends_on_the_seed(opened):
    store, config = opened
    config.data.update(num_frames=4, flip_probability=0.0)
    first, second = [], []
    for seed, found in ((0, first), (1, second), (0, first)):
        config.seed = seed
        found.append(keys(steps(VideoWindows(store, config, 3), 0, 4)))
    assert first[0] == first[1] != second[0]


@pytest.mark.parametrize("processes", [2, 3, 6])
def test_slices_of_the_processes_make_the_global_batch(opened, processes):
    store, config = opened
    config.data.update(num_frames=4, flip_probability=0.5)
    whole = VideoWindows(store, config, 6)
    parts = [VideoWindows(store, config, 6, index, processes) for index in range(processes)]
    expected = steps(whole, 5, 2)
    found = [
        np.concatenate(batches) for batches in zip(*(steps(p, 5, 2) for p in parts), strict=True)
    ]
    np.testing.assert_array_equal(found, expected)
    for batch, *slices in zip(*(d.eval_batches("test") for d in [whole, *parts]), strict=True):
        for key in ("video", "mask", "video_index", "start"):
            np.testing.assert_array_equal(np.concatenate([s[key] for s in slices]), batch[key])


def test_flips_turn_some_windows_left_to_right(opened):
    store, config = opened
    config.data.update(num_frames=4, flip_probability=0.0)
    plain = np.concatenate(steps(VideoWindows(store, config, 11), 0, 20))
    config.data.flip_probability = 1.0
    always = np.concatenate(steps(VideoWindows(store, config, 11), 0, 20))
    np.testing.assert_array_equal(always, plain[:, :, :, ::-1])
    config.data.flip_probability = 0.5
    some = np.concatenate(steps(VideoWindows(store, config, 11), 0, 20))
    flipped = (some == always).all(axis=(1, 2, 3, 4))
    assert ((some == plain).all(axis=(1, 2, 3, 4)) != flipped).all()
    assert 80 < flipped.sum() < 140  # of 220; five standard deviations are 37
    assert not (some[flipped.nonzero()] == plain[flipped.nonzero()]).all()


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(
    lengths=st.lists(st.integers(4, 40), min_size=2, max_size=5),
    probability=st.sampled_from([0.01, 0.5, 1.0]),
    choices=st.lists(st.integers(2, 9), min_size=1, max_size=3).map(tuple),
    seed=st.integers(0, 2**31),
)
def test_pseudo_anomalies_skip_frames_within_their_video(lengths, probability, choices, seed):
    store = RowStore(train=lengths, validation=[4], test=[4])
    data = {"pseudo_anomaly_probability": probability, "pseudo_anomaly_steps": choices}
    dataset = row_windows(store, 50, seed, **data)
    plain = steps(row_windows(store, 50, seed), 3, 1)[0][..., 0, 0, 0].astype(int)
    batch = next(dataset.train_batches(3))
    skipping, target = (batch[key][..., 0, 0, 0].astype(int) for key in ("video", "target"))
    for window, normal, without in zip(skipping, target, plain):
        video = next(v for v in store.videos if v.start <= without[0] < v.start + v.length)
        step = window[1] - window[0]
        assert (np.diff(window) == step).all()
        assert (normal == window[0] + np.arange(4)).all()
        assert video.start <= window[0] <= without[0]
        assert window[-1] < video.start + video.length
        room = (video.length - 1) // 3
        assert step in {min(choice, room) for choice in (1, *choices)}
        if without[0] + 3 * step < video.start + video.length:
            assert window[0] == without[0]
        if probability == 1:
            assert step >= min(2, room)


def test_about_so_many_windows_are_pseudo_anomalies_and_turned_as_their_targets():
    store = RowStore(train=[100], validation=[4], test=[4])
    dataset = row_windows(store, 500, pseudo_anomaly_probability=0.3, flip_probability=0.5)
    batch = next(dataset.train_batches(0))
    skipping = np.diff(batch["video"][..., 0, 0, 0].astype(int), axis=1)[:, 0]
    assert 100 < (skipping > 1).sum() < 200  # of 500; five standard deviations are 51
    assert set(skipping) == {1, 2, 3, 4, 5}
    assert (batch["video"][:, 0] == batch["target"][:, 0]).all()


def test_with_a_margin_a_flag_says_which_windows_skip_frames():
    store = RowStore(train=[100, 5], validation=[4], test=[4])  # the short one has no room to skip
    data = {"pseudo_anomaly_probability": 0.5, "flip_probability": 0.5}
    targets, flags = (
        next(row_windows(store, 500, pseudo_anomaly_margin=m, **data).train_batches(7))
        for m in (0.0, 1.0)
    )
    assert set(flags) == {"video", "pseudo_anomaly"}
    np.testing.assert_array_equal(flags["video"], targets["video"])
    skips = (flags["video"] != targets["target"]).any(axis=(1, 2, 3, 4))
    np.testing.assert_array_equal(flags["pseudo_anomaly"], skips)
    assert 150 < skips.sum() < 350


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_evaluation_gives_every_window_once_in_order(dataset, split):
    batches = list(dataset.eval_batches(split))
    assert {batch["video"].shape for batch in batches} == {(3, 4, 6, 8, 1)}
    assert {key: value.dtype.name for key, value in batches[0].items()} == {
        "video": "uint8",
        "mask": "float32",
        "video_index": "int32",
        "start": "int32",
    }
    real = np.concatenate([batch["mask"] for batch in batches]) == 1
    assert real.sum() == dataset.info.num_examples[split] > len(real) - 3
    windows = np.concatenate([batch["video"] for batch in batches])[real]
    assert keys([windows]) == list(windows_of(dataset, split))
    places = [np.concatenate([b[key] for b in batches])[real] for key in ("video_index", "start")]
    for window, video_index, start in zip(windows, *places, strict=True):
        frames = dataset.frames(split, video_index)
        np.testing.assert_array_equal(window, frames[start : start + 4])


def test_stride_between_windows(ped, config):
    config.data.stride = 3
    dataset = create_dataset(config, 2)
    assert dataset.info.num_examples == {"train": 2 + 2, "validation": 2, "test": 1 + 3}
    starts = [start for batch in dataset.eval_batches("test") for start in batch["start"]]
    assert starts == [0, 0, 3, 6]


def test_frames_labels_and_masks_of_a_video(dataset):
    assert dataset.labels("test", 0).tolist() == [0, 1, 1, 0, 0, 1]
    assert dataset.labels("train", 0).tolist() == [0] * 9
    assert dataset.masks("test", 1).shape == (10, 12, 16)
    assert dataset.masks("train", 0) is None
    assert dataset.frames("validation", 0).shape == (7, 6, 8, 1)
    assert dataset.info.videos["test"][0].timestamps is None


def test_own_videos_without_labels_keep_their_times(tmp_path, config):
    for name in ("train/a.mkv", "test/b.mkv"):
        write_video(tmp_path / "mine" / name, range(0, 250, 10), np.arange(25) / 5)
    config.data.update(dataset="videos", source=str(tmp_path / "mine"))
    dataset = create_dataset(config, 2)
    train, validation, test = (dataset.info.videos[s][0] for s in ("train", "validation", "test"))
    assert (train.length, validation.length, test.length) == (21, 4, 25)
    np.testing.assert_allclose(validation.timestamps, np.arange(21, 25) / 5, atol=1e-3)
    assert dataset.labels("test", 0) is None
    assert dataset.masks("test", 0) is None
    assert dataset.frames("validation", 0).mean() > dataset.frames("train", 0).mean()


def test_a_video_shorter_than_a_window_is_an_error_and_a_part_is_left_out(ped, config, log):
    config.data.num_frames = 7
    with pytest.raises(UserError, match=r"test: Test001 has 6 frames, fewer than .*num_frames=7"):
        create_dataset(config, 2)
    config.data.bad_frames = "skip"
    assert len(create_dataset(config, 2).info.videos["test"]) == 1
    assert "left out: ucsd_ped/ped2 test: Test001 has 6 frames" in log()
    config.data.num_frames = 11
    with pytest.raises(UserError, match="ucsd_ped/ped2 train: no video as long as a window"):
        create_dataset(config, 2)


def test_one_training_video_that_is_too_short_to_hold_out(tmp_path, config):
    for name in ("train/a.mkv", "test/b.mkv"):
        write_video(tmp_path / "mine" / name, range(7))
    config.data.update(dataset="videos", source=str(tmp_path / "mine"))
    with pytest.raises(UserError, match=r"a\.mkv is the only training video and has 7 frames"):
        create_dataset(config, 2)


def test_processes_that_do_not_divide_the_batch(opened):
    with pytest.raises(UserError, match="batch_size=7: no multiple of 2 processes"):
        VideoWindows(*opened, 7, 0, 2)


@pytest.mark.skipif(not PED2.is_dir(), reason="needs the real UCSD Ped2")
def test_real_ped2_windows_and_steps(config):
    config.data.update(source=str(PED2), num_frames=16)
    dataset = create_dataset(config, 18)
    assert dataset.info.num_examples == {"train": 2205, "validation": 105, "test": 1830}
    assert dataset.info.steps_per_epoch == 123
    assert sum(1 for _ in dataset.eval_batches("validation")) == 6
    abnormal = [dataset.labels("test", i)[8:-7].sum() for i in range(12)]
    assert sum(abnormal) == 1526


def test_a_process_with_an_open_stream_can_end(opened):
    store, config = opened
    config.data.update(num_frames=4, stride=1, flip_probability=0.0)
    code = (
        "import sys, ml_collections\n"
        "from pathlib import Path\n"
        "from vid_jax.input_pipeline.frame_store import FrameStore\n"
        "from vid_jax.input_pipeline.video_windows import VideoWindows\n"
        "config = ml_collections.ConfigDict(eval(sys.argv[2]))\n"
        "stream = VideoWindows(FrameStore(Path(sys.argv[1])), config, 2).train_batches(0)\n"
        "next(stream)\n"
    )
    arguments = [str(store.folder), repr(config.to_dict())]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, timeout=120)
