"""How crops are dealt out: splits, the training stream, evaluation, processes."""

import itertools
import logging

import numpy as np
import pytest
import tiny_hands

from vid_jax import default_config
from vid_jax.errors import UserError
from vid_jax.input_pipeline import create_dataset
from vid_jax.input_pipeline.crop_store import open_crop_store
from vid_jax.input_pipeline.hand_crops import FIELDS, HandCrops
from vid_jax.input_pipeline.prepare import prepare

SIZE = 24
BATCH = 6
FRAMES = 3 * 2 * 5  # of subjects P0, P1 and P2


def config_of(folder, dataset="msra15", **changes):
    config = default_config.hands()
    config.seed = changes.pop("seed", 0)
    config.data.update(
        dataset=dataset,
        source=str(folder / dataset),
        dir=str(folder / "prepared"),
        crop_size=SIZE,
        validation_fraction=0.2,
        **changes,
    )
    return config


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hands")
    tiny_hands.write_msra15(folder / "msra15", frames=5)
    tiny_hands.write_fhad(folder / "fhad")
    tiny_hands.write_nyu(folder / "nyu", train=5, test=3)
    return folder


@pytest.fixture(scope="module")
def store(folder):
    config = config_of(folder)
    return open_crop_store(prepare(config), config)


@pytest.fixture
def deal(folder, store):
    """A data set of the store, whose frames are those of MSRA15."""

    def make(batch_size=BATCH, process_index=0, process_count=1, **changes):
        return HandCrops(
            store, config_of(folder, **changes), batch_size, process_index, process_count
        )

    return make


def rows_of(dataset, split):
    return dataset.fields(split)["index"].tolist()


def take(stream, number):
    return [*itertools.islice(stream, number)]


def assert_same(batches, others):
    for one, other in zip(batches, others, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_leave_one_subject_out(deal):
    dataset = deal(held_out="P1")
    assert set(dataset.fields("test")["subject"]) == {"P1"}
    assert set(dataset.fields("train")["subject"]) == {"P0", "P2"}
    assert set(dataset.fields("validation")["subject"]) <= {"P0", "P2"}
    assert set(deal().fields("test")["subject"]) == {"P0"}
    assert dataset.info.num_examples == {"train": 16, "validation": 4, "test": 10}


@pytest.mark.parametrize("validation", ["fraction", "subject"])
def test_validation_and_training_and_test_share_no_frame(deal, validation):
    dataset = deal(validation=validation)
    rows = [rows_of(dataset, split) for split in ("train", "validation", "test")]
    assert sorted(itertools.chain(*rows)) == list(range(FRAMES))
    assert all(rows)
    assert rows == [sorted(part) for part in rows]


def test_a_fraction_is_drawn_by_the_seed(deal):
    chosen = [rows_of(deal(seed=seed), "validation") for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]
    assert len(chosen[2]) == 4  # of 20


def test_a_held_out_subject_validates(deal):
    dataset = deal(validation="subject", validation_subject="P1")
    assert set(dataset.fields("validation")["subject"]) == {"P1"}
    assert set(dataset.fields("train")["subject"]) == {"P2"}
    default = deal(validation="subject")
    assert set(default.fields("validation")["subject"]) == {"P2"}


def test_test_frames_validate(deal):
    dataset = deal(validation="test")
    assert rows_of(dataset, "validation") == rows_of(dataset, "test")
    assert dataset.info.num_examples["train"] == 20


def test_without_validation_all_is_trained_on(deal):
    dataset = deal(validation="none")
    assert dataset.info.num_examples["train"] == 20
    assert set(rows_of(dataset, "validation")) < set(rows_of(dataset, "train"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ["20% of the training frames", "leave_one_subject_out", "P0"]),
        ({"held_out": "P2"}, ["leave_one_subject_out", "P2"]),
        ({"validation": "subject"}, ["held-out training subject P2"]),
        ({"validation": "subject", "validation_subject": "P1"}, ["subject P1"]),
        ({"validation": "test"}, ["the test split itself"]),
        ({"validation": "none"}, ["none"]),
        ({"crop": "joint_square"}, ["24x24", "joint_square", "reference joint"]),
        ({"center": "depth"}, ["centre of mass"]),
        ({"center": "detector"}, ["detector", "without ground truth"]),
    ],
)
def test_the_description_names_what_was_done(deal, changes, words):
    description = deal(**changes).info.description
    for word in words:
        assert word in description


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"held_out": "P7"}, "config.data.held_out='P7'.*P0, P1, P2"),
        ({"protocol": "published"}, "config.data.protocol='published'"),
        (
            {"validation": "subject", "validation_subject": "P0"},
            "config.data.validation_subject='P0': must be one of the training subjects P1, P2",
        ),
        ({"validation": "subject", "validation_subject": "me"}, "validation_subject='me'"),
    ],
)
def test_splits_that_the_data_do_not_have_are_named(deal, changes, words):
    with pytest.raises(UserError, match=words):
        deal(**changes)


def test_protocols_of_actions(folder):
    for protocol, trained in (
        ("", {"Subject_1/put_salt/2", "Subject_2/pour_milk/2", "Subject_3/high_five/2"}),
        ("cross_subject", {f"Subject_{n}" for n in (1, 3)}),
        ("cross_object", {"put_salt", "high_five"}),
    ):
        dataset = create_dataset(config_of(folder, "fhad", protocol=protocol), BATCH)
        names = [*dataset.fields("train")["sequence"], *dataset.fields("validation")["sequence"]]
        assert all(any(part in name for part in trained) for name in names)
        others = dataset.fields("test")["sequence"]
        assert not any(any(part in name for part in trained) for name in others)


def test_published_splits(folder):
    dataset = create_dataset(config_of(folder, "nyu"), BATCH)
    assert dataset.info.num_examples == {"train": 4, "validation": 1, "test": 3}
    assert dataset.info.name == "nyu"


def test_batches_are_the_crops_of_the_store(deal, store):
    (batch,) = take(deal().train_batches(0), 1)
    rows = batch["index"]
    assert batch["index"].dtype == batch["epoch"].dtype == np.int32
    np.testing.assert_array_equal(batch["depth"], store.crops[rows])
    for name, dtype in FIELDS.items():
        np.testing.assert_array_equal(batch[name], store.fields[name][rows])
        assert batch[name].dtype == dtype


def test_each_epoch_is_a_permutation_of_its_own(deal):
    dataset = deal(held_out="P1")
    train = rows_of(dataset, "train")
    index = np.concatenate([b["index"] for b in take(dataset.train_batches(0), 8)])
    assert len(index) == 3 * len(train)
    epochs = index.reshape(3, len(train)).tolist()
    assert all(sorted(epoch) == train for epoch in epochs)
    assert len({*map(tuple, epochs)}) == 3
    assert dataset.info.steps_per_epoch == 3  # 16 crops, 6 a step


def test_the_stream_is_a_function_of_seed_and_step(deal):
    batches = take(deal().train_batches(0), 7)
    assert_same(take(deal().train_batches(0), 7), batches)
    for start in (1, 5):
        assert_same(take(deal().train_batches(start), 7 - start), batches[start:])
    others = take(deal(seed=1).train_batches(0), 7)
    assert any((a["index"] != b["index"]).any() for a, b in zip(batches, others))


def test_fresh_draws_change_with_the_epoch_and_fixed_ones_do_not(deal):
    fresh = [b["epoch"] for b in take(deal(held_out="P1").train_batches(0), 8)]
    np.testing.assert_array_equal(np.concatenate(fresh), np.repeat([0, 1, 2], 16))
    fixed = take(deal(held_out="P1", draws="fixed").train_batches(0), 8)
    assert not any(b["epoch"].any() for b in fixed)
    assert fixed[7]["epoch"].dtype == np.int32


def test_samples_per_epoch(deal):
    info = deal(samples_per_epoch=13).info
    assert (info.samples_per_epoch, info.steps_per_epoch) == (13, 3)


@pytest.mark.parametrize("batch_size", [None, 4, 30])
def test_evaluation_has_each_crop_once_in_order(deal, store, batch_size):
    dataset = deal()
    for split in ("train", "validation", "test"):
        batches = [*dataset.eval_batches(split, batch_size)]
        assert {len(b["mask"]) for b in batches} == {batch_size or BATCH}
        mask = np.concatenate([b["mask"] for b in batches])
        index = np.concatenate([b["index"] for b in batches])
        assert index[mask > 0].tolist() == rows_of(dataset, split)
        assert set(mask) <= {0, 1}
        assert (np.diff(mask) <= 0).all()
        assert not any(b["epoch"].any() for b in batches)
        np.testing.assert_array_equal(batches[-1]["depth"], store.crops[batches[-1]["index"]])


def test_evaluation_of_some(deal):
    dataset = deal()
    (batch,) = dataset.eval_batches("test", 8, every=3)
    assert batch["index"][batch["mask"] > 0].tolist() == rows_of(dataset, "test")[::3]


def test_two_processes_share_each_batch(deal):
    whole = deal()
    parts = [deal(process_index=index, process_count=2) for index in (0, 1)]

    def joined(streams):
        for pair in zip(*streams, strict=True):
            yield {name: np.concatenate([part[name] for part in pair]) for name in pair[0]}

    assert_same(
        joined([take(part.train_batches(2), 4) for part in parts]), take(whole.train_batches(2), 4)
    )
    assert_same(
        joined([part.eval_batches("test", 4) for part in parts]), [*whole.eval_batches("test", 4)]
    )


def test_a_batch_that_processes_do_not_divide_is_refused(deal):
    with pytest.raises(UserError, match=r"train\.batch_size=7: no multiple of 2 processes"):
        deal(batch_size=7, process_count=2)


def test_crops_and_names_of_rows(deal, store):
    dataset = deal()
    crops = dataset.crops(np.array([7, 2]))
    np.testing.assert_array_equal(crops["depth"], store.crops[[7, 2]])
    np.testing.assert_array_equal(crops["joints"], store.fields["joints"][[7, 2]])
    assert dataset.frame_name(7) == "P0/Y 2"
    assert len(dataset.raw_examples()) >= 4


def test_labels_far_outside_the_cube_are_named(folder, tmp_path, log):
    """A fingertip half a metre off, as of labels of another frame."""
    tiny_hands.write_msra15(tmp_path / "msra15", frames=5)
    labels = tmp_path / "msra15/P1/Y/joint.txt"
    first, *lines = labels.read_text().split("\n")
    values = np.float64(lines[3].split()).reshape(-1, 3)
    values[20] += [500, 0, 0]
    lines[3] = tiny_hands.numbers(values)
    labels.write_text("\n".join([first, *lines]))
    create_dataset(config_of(tmp_path), BATCH)
    assert "1 of 30 frames have joints more than 2 half edges" in log()
    assert "the worst, P1/Y frame 3" in log()


def test_labels_of_whole_hands_give_no_alarm(deal, log, caplog):
    deal()
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
