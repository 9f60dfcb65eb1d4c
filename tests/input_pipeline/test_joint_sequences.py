"""How sequences of joints are dealt out: splits, the training stream, evaluation, processes."""

import dataclasses
import itertools

import numpy as np
import pytest
import tiny_hands

from vid_jax import default_config
from vid_jax.errors import UserError
from vid_jax.input_pipeline import check_source, create_dataset
from vid_jax.input_pipeline.joint_records import read_joints
from vid_jax.input_pipeline.joint_sequences import JointSequences
from vid_jax.input_pipeline.prepare import prepare

BATCH = 4
ACTIONS = ("put_salt", "pour_milk", "high_five")
SEQUENCES = {
    "train": [f"Subject_{s}/{a}/{r}" for s in (1, 2, 3) for a in ACTIONS for r in (1, 2)],
    "test": [f"Subject_{s}/{a}/3" for s in (1, 2, 3) for a in ACTIONS],
}
LENGTHS = {name: 2 + 3 * i % 11 for i, name in enumerate([*SEQUENCES["train"], *SEQUENCES["test"]])}


def config_of(folder, **changes):
    config = default_config.joint_sequences()
    config.seed = changes.pop("seed", 0)
    config.data.update(
        dataset="fhad_joints",
        source=str(folder / "fhad"),
        dir=str(folder / "prepared"),
        lengths=(4, 8),
        **changes,
    )
    return config


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("joints")
    tiny_hands.write_fhad(folder / "fhad", SEQUENCES, depth=False)
    for name, frames in LENGTHS.items():
        tiny_hands.write_fhad_sequence(folder / "fhad", name, frames, depth=False)
    return folder


@pytest.fixture(scope="module")
def store(folder):
    return read_joints(prepare(config_of(folder)))


@pytest.fixture
def deal(folder, store):
    def make(batch_size=BATCH, process_index=0, process_count=1, store=store, **changes):
        return JointSequences(
            store, config_of(folder, **changes), batch_size, process_index, process_count
        )

    return make


def take(stream, number):
    return [*itertools.islice(stream, number)]


def assert_same(batches, others):
    for one, other in zip(batches, others, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def numbers_of(dataset, split):
    return dataset.fields(split)["index"].tolist()


def test_batches_hold_whole_sequences_padded_with_zeros(deal, store):
    for batch in take(deal().train_batches(0), 5):
        longest = batch["length"].max()
        assert batch["joints"].shape == (
            BATCH,
            4 if longest <= 4 else 8 if longest <= 8 else 16,
            21,
            3,
        )
        assert batch["joints"].dtype == np.float32
        for name in ("length", "action", "index", "epoch"):
            assert batch[name].dtype == np.int32
        rows = zip(batch["joints"], batch["length"], batch["index"], batch["action"], strict=True)
        for joints, length, number, action in rows:
            own = store.joints[store.starts[number] : store.starts[number + 1]]
            assert length == len(own) == LENGTHS[store.fields["sequence"][number]]
            np.testing.assert_array_equal(joints[:length], own)
            assert not joints[length:].any()
            assert action == store.fields["action"][number]


def test_what_there_is(deal):
    info = deal().info
    assert info.name == "fhad_joints"
    assert len(info.actions) == 45
    assert info.actions[44] == "high_five"
    assert info.skeleton.joints[0] == "wrist"
    assert info.num_examples == {"train": 12, "validation": 6, "test": 9}
    assert (info.samples_per_epoch, info.steps_per_epoch, info.cut) == (12, 3, 0)
    assert info.lengths == (4, 8, 16)
    assert info.largest_length == 16


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "protocol action_split; validation: held-out training subject Subject_3"),
        ({"protocol": "cross_subject", "validation_subject": "Subject_1"}, "subject Subject_1"),
        ({"validation": "fraction"}, "20% of the training sequences, of the same subjects"),
        ({"validation": "test"}, "the test split itself"),
        ({"validation": "none"}, "none; training sequences are watched"),
    ],
)
def test_the_description_names_protocol_and_validation(deal, changes, words):
    assert words in deal(**changes).info.description


@pytest.mark.parametrize("validation", ["subject", "fraction"])
def test_no_sequence_is_in_two_splits(deal, validation):
    dataset = deal(validation=validation)
    parts = [numbers_of(dataset, split) for split in ("train", "validation", "test")]
    assert all(parts)
    assert sorted(itertools.chain(*parts)) == list(range(27))
    assert parts == [sorted(part) for part in parts]


def test_validations(deal):
    assert set(deal().fields("validation")["subject"]) == {"Subject_3"}
    chosen = deal(validation_subject="Subject_1")
    assert set(chosen.fields("validation")["subject"]) == {"Subject_1"}
    assert set(chosen.fields("train")["subject"]) == {"Subject_2", "Subject_3"}
    drawn = [numbers_of(deal(validation="fraction", seed=s), "validation") for s in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 4  # a fifth of 18
    test = deal(validation="test")
    assert numbers_of(test, "validation") == numbers_of(test, "test")
    none = deal(validation="none")
    assert set(numbers_of(none, "validation")) < set(numbers_of(none, "train"))


def test_protocols(deal):
    subjects = deal(protocol="cross_subject").fields("test")["subject"]
    assert set(subjects) == {"Subject_2"}
    objects = deal(protocol="cross_object")
    names = [name.split("/")[1] for name in objects.fields("test")["sequence"]]
    assert set(names) == {"pour_milk"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation_subject": "Subject_9"}, "'Subject_9': must be one of the training subjects"),
        ({"protocol": "published"}, "protocol='published': sequences of fhad_joints have action"),
    ],
)
def test_splits_that_the_data_do_not_have_are_named(deal, changes, message):
    with pytest.raises(UserError, match=message):
        deal(**changes)


def test_labels_that_are_no_class_are_named(deal, store):
    actions = store.fields["action"].copy()
    actions[3] = 45
    wrong = dataclasses.replace(store, fields=store.fields | {"action": actions})
    name = store.fields["sequence"][3]
    with pytest.raises(UserError, match=rf"1 sequences are none of the 45 classes.*{name} \(45\)"):
        deal(store=wrong)


def test_sequences_over_the_maximum_are_cut_and_counted(deal, store, log):
    dataset = deal(max_length=6, cut="start")
    long = [name for name, length in LENGTHS.items() if length > 6]
    assert dataset.info.cut == len(long)
    assert dataset.info.lengths == (4, 8)
    assert f"{len(long)} of 27 sequences are longer than 6 frames" in log()
    for split in ("train", "test"):
        fields = dataset.fields(split)
        for i, (number, length) in enumerate(zip(fields["index"], fields["length"])):
            whole = store.joints[store.starts[number] : store.starts[number + 1]]
            assert length == min(len(whole), 6)
            np.testing.assert_array_equal(dataset.sequence(split, i), whole[-6:])


def test_each_epoch_has_every_sequence_once(deal):
    dataset = deal(pool=2)
    batches = take(dataset.train_batches(0), 6)
    index = np.concatenate([batch["index"] for batch in batches])
    epoch = np.concatenate([batch["epoch"] for batch in batches])
    for number in (0, 1):
        assert sorted(index[epoch == number]) == numbers_of(dataset, "train")
    fixed = take(deal(pool=2, draws="fixed").train_batches(0), 6)
    np.testing.assert_array_equal(np.concatenate([batch["index"] for batch in fixed]), index)
    assert not any(batch["epoch"].any() for batch in fixed)


def test_the_stream_is_a_function_of_seed_and_step(deal):
    batches = take(deal().train_batches(0), 7)
    for start in (0, 1, 5):
        assert_same(take(deal().train_batches(start), 7 - start), batches[start:])
    others = take(deal(seed=1).train_batches(0), 7)
    assert any((a["index"] != b["index"]).any() for a, b in zip(batches, others))


@pytest.mark.parametrize("batch_size", [None, 2, 20])
def test_evaluation_has_each_sequence_once_in_order(deal, batch_size):
    dataset = deal()
    for split in ("train", "validation", "test"):
        batches = [*dataset.eval_batches(split, batch_size)]
        assert {len(batch["mask"]) for batch in batches} == {batch_size or BATCH}
        mask, index = (np.concatenate([b[name] for b in batches]) for name in ("mask", "index"))
        assert mask.dtype == np.float32
        assert index[mask > 0].tolist() == numbers_of(dataset, split)
        assert (np.diff(mask) <= 0).all()
        assert not any(batch["epoch"].any() for batch in batches)
        assert all(batch["length"].min() > 0 for batch in batches)


def test_evaluation_of_some(deal):
    dataset = deal()
    (batch,) = dataset.eval_batches("test", 8, every=3)
    assert batch["index"][batch["mask"] > 0].tolist() == numbers_of(dataset, "test")[::3]


def test_two_processes_share_each_batch(deal):
    parts = [deal(process_index=index, process_count=2) for index in (0, 1)]

    def joined(streams):
        for pair in zip(*streams, strict=True):
            yield {name: np.concatenate([part[name] for part in pair]) for name in pair[0]}

    streams = [take(part.train_batches(2), 4) for part in parts]
    assert_same(joined(streams), take(deal().train_batches(2), 4))
    streams = [part.eval_batches("test", 6) for part in parts]
    assert_same(joined(streams), [*deal().eval_batches("test", 6)])
    with pytest.raises(UserError, match="no multiple of 2 processes"):
        deal(batch_size=3, process_count=2)


def test_a_prepared_sequence_without_frames_is_named(store, monkeypatch):
    record = {"sequence": b"S1/wave/0", "joints": np.zeros((0, 21, 3))}
    monkeypatch.setattr(
        "vid_jax.input_pipeline.joint_records.iterate_records", lambda builder, split: [record]
    )

    class Builder:
        name = "gestures"
        info = type("Info", (), {"splits": ["train"]})

    with pytest.raises(UserError, match="gestures: S1/wave/0 has no frames"):
        read_joints(Builder)


def test_annotations_alone_are_a_source(folder):
    dataset = create_dataset(config_of(folder), BATCH)
    assert isinstance(dataset, JointSequences)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dataset", "hands", "must be one of fhad_joints, gestures"),
        ("protocol", "published", "must be action_split or cross_subject or cross_object"),
        ("validation", "video", "must be one of subject, fraction, test, none"),
        ("validation_fraction", 0.0, "must be between 0 and 1"),
        ("max_length", -1, "must be at least 1, or 0 for whole sequences"),
        ("cut", "middle", "must be one of end, start, both"),
        ("lengths", (), "must be ascending numbers of frames"),
        ("lengths", (8, 8), "must be ascending numbers of frames"),
        ("pool", 0, "must be at least 1"),
        ("draws", "never", "must be fresh"),
        ("rotation_range", -1.0, "must be at least 0"),
        ("time_warp", 1.0, "must be at least 0 and below 1"),
        ("crop", 1.5, "must be at least 0 and below 1"),
        ("noise_sigma", -2.0, "must be at least 0"),
        ("source", "/nowhere/at/all", "does not exist"),
    ],
)
def test_values_that_cannot_be(folder, key, value, message):
    config = config_of(folder)
    config.data[key] = value
    with pytest.raises(UserError, match=rf"config\.data\.{key}.*{message}"):
        check_source(config)


def test_a_source_laid_out_otherwise(tmp_path):
    (tmp_path / "fhad" / "other").mkdir(parents=True)
    with pytest.raises(UserError, match="holds no Hand_pose_annotation_v1_1/"):
        check_source(config_of(tmp_path))
