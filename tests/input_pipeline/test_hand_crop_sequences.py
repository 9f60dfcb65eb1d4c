"""How sequences of crops are dealt out, their frames packed together."""

import copy
import itertools

import numpy as np
import pytest
import tiny_hands

from vid_jax import default_config
from vid_jax.errors import UserError
from vid_jax.input_pipeline import check_source, create_dataset
from vid_jax.input_pipeline.crop_store import open_crop_store
from vid_jax.input_pipeline.hand_crop_sequences import HandCropSequences
from vid_jax.input_pipeline.hand_crops import FIELDS
from vid_jax.input_pipeline.prepare import prepare

SIZE = 16
BATCH = 4
PACKING = 5
SEQUENCES = {
    "train": [f"Subject_{s}/{a}/1" for s in (1, 2, 3) for a in ("put_salt", "pour_milk")],
    "test": [f"Subject_{s}/put_salt/2" for s in (1, 2, 3)],
}
LENGTHS = {name: 2 + 3 * i % 5 for i, name in enumerate([*SEQUENCES["train"], *SEQUENCES["test"]])}


def config_of(folder, **changes):
    config = default_config.hand_sequences()
    config.data.update(
        dataset="fhad",
        source=str(folder / "fhad"),
        dir=str(folder / "prepared"),
        crop_size=SIZE,
        validation="subject",
        lengths=(4,),
        packing=PACKING,
    )
    config.data.update(changes)
    return config


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sequences")
    tiny_hands.write_fhad(folder / "fhad", SEQUENCES, frames=2)
    for name, frames in LENGTHS.items():
        tiny_hands.write_fhad_sequence(folder / "fhad", name, frames)
    return folder


@pytest.fixture(scope="module")
def store(folder):
    config = config_of(folder)
    return open_crop_store(prepare(config), config)


@pytest.fixture
def deal(folder, store):
    def make(batch_size=BATCH, process_index=0, process_count=1, store=store, **changes):
        return HandCropSequences(
            store, config_of(folder, **changes), batch_size, process_index, process_count
        )

    return make


def take(stream, number):
    return [*itertools.islice(stream, number)]


def flat(batch):
    return {**batch["frames"], **{k: v for k, v in batch.items() if k != "frames"}}


def unpacked(batch, name):
    """Of each sequence the values of its frames."""
    places = zip(batch["positions"], batch["length"], strict=True)
    return [batch["frames"][name][row[:length]] for row, length in places]


def rows_of(store, name):
    return np.flatnonzero(store.fields["sequence"] == name)


def test_positions_lead_to_the_frames_of_each_sequence(deal, store):
    dataset = deal()
    names = np.array(list(dict.fromkeys(store.fields["sequence"].tolist())))
    for batch in take(dataset.train_batches(0), 4):
        assert batch["positions"].dtype == batch["length"].dtype == np.int32
        assert batch["positions"].shape == (BATCH, 4 if batch["length"].max() <= 4 else 8)
        rows = unpacked(batch, "index")
        for number, length, own in zip(batch["index"], batch["length"], rows, strict=True):
            np.testing.assert_array_equal(own, rows_of(store, names[number]))
            assert length == LENGTHS[names[number]]
        for sequence, action in zip(unpacked(batch, "action"), batch["action"], strict=True):
            assert set(sequence) == {action}
        for row, length in zip(batch["positions"], batch["length"], strict=True):
            assert not row[length:].any()


def test_frames_are_those_of_the_store_and_padding_repeats_the_last(deal, store):
    for batch in take(deal().train_batches(0), 4):
        frames = batch["frames"]
        np.testing.assert_array_equal(frames["depth"], store.crops[frames["index"]])
        for name, dtype in FIELDS.items():
            assert frames[name].dtype == dtype
            np.testing.assert_array_equal(frames[name], store.fields[name][frames["index"]])
        packed, real = len(frames["mask"]), batch["length"].sum()
        assert packed % PACKING == 0
        assert 0 <= packed - real < PACKING
        np.testing.assert_array_equal(frames["mask"], np.arange(packed) < real)
        assert set(frames["index"][real:]) <= {frames["index"][real - 1]}
        places = [row[:n] for row, n in zip(batch["positions"], batch["length"], strict=True)]
        assert sorted(np.concatenate(places)) == list(range(real))


def test_epochs_are_those_of_the_sequences(deal):
    dataset = deal(batch_size=2)
    for batch in take(dataset.train_batches(0), 4):
        for frames, epoch in zip(unpacked(batch, "epoch"), batch["epoch"], strict=True):
            assert set(frames) == {epoch}
    assert batch["epoch"].tolist() == [1, 1]


def test_what_there_is(deal):
    info = deal().info
    assert info.num_examples == {"train": 4, "validation": 2, "test": 3}
    assert (info.name, info.camera.name, info.packing) == ("fhad", "fhad", PACKING)
    assert info.actions[15] == "put_salt"
    assert (info.lengths, info.largest_length) == ((4, 8), 8)
    assert info.most_frames == 25  # 6 + 6 + 5 + 5 and padding
    for words in ("sequences of crops of 16x16 (cube)", "held-out training subject Subject_3"):
        assert words in info.description


def test_no_batch_has_more_frames_than_announced(deal):
    dataset = deal(validation="none")
    sizes = [len(b["frames"]["mask"]) for b in take(dataset.train_batches(0), 20)]
    assert max(sizes) <= dataset.info.most_frames


def test_fields_of_frames_and_of_sequences(deal, store):
    dataset = deal(max_length=3, cut="end")
    for split in ("train", "validation", "test"):
        frames, sequences = dataset.fields(split), dataset.sequence_fields(split)
        names, counts = np.unique(frames["sequence"], return_counts=True)
        order = np.argsort(sequences["sequence"])
        assert names.tolist() == sequences["sequence"][order].tolist()
        assert counts.tolist() == sequences["length"][order].tolist()
        assert counts.max() <= 3
        np.testing.assert_array_equal(frames["joints"], store.fields["joints"][frames["index"]])
    assert dataset.info.cut == sum(length > 3 for length in LENGTHS.values())
    first = rows_of(store, sequences["sequence"][0])
    assert frames["index"][: len(first[:3])].tolist() == first[:3].tolist()
    np.testing.assert_array_equal(dataset.crops(first)["depth"], store.crops[first])
    assert dataset.frame_name(first[1]) == f"{sequences['sequence'][0]} 1"
    assert dataset.raw_examples()


def test_evaluation_has_each_sequence_once_and_masks_repeated_frames(deal):
    dataset = deal()
    (batch,) = dataset.eval_batches("test")
    assert batch["mask"].tolist() == [1, 1, 1, 0]
    assert batch["index"][:3].tolist() == dataset.sequence_fields("test")["index"].tolist()
    assert batch["index"][3] == batch["index"][2]
    real = unpacked(batch, "mask")
    assert all(mask.all() for mask in real[:3])
    assert not real[3].any()
    assert batch["frames"]["mask"].sum() == batch["length"][:3].sum()
    (one,) = dataset.eval_batches("test", 1, every=3)
    assert one["index"].tolist() == batch["index"][:1].tolist()


def test_the_stream_is_a_function_of_seed_and_step(deal):
    batches = take(deal(validation="none").train_batches(0), 5)
    again = take(deal(validation="none").train_batches(3), 2)
    for one, other in zip(batches[3:], again, strict=True):
        for name, values in flat(one).items():
            np.testing.assert_array_equal(values, flat(other)[name])


@pytest.mark.parametrize("stream", ["train", "test"])
def test_positions_of_all_processes_lead_into_their_joined_frames(deal, stream):
    def batches(dataset):
        if stream == "train":
            return take(dataset.train_batches(0), 3)
        return [*dataset.eval_batches("test")]

    parts = [deal(process_index=index, process_count=2) for index in (0, 1)]
    for whole, *own in zip(batches(deal()), *map(batches, parts), strict=True):
        sizes = {len(part["frames"]["mask"]) for part in own}
        assert len(sizes) == 1
        joined = {
            name: np.concatenate([part[name] for part in own]) for name in whole.keys() - {"frames"}
        }
        joined["frames"] = {
            name: np.concatenate([part["frames"][name] for part in own]) for name in whole["frames"]
        }
        for name in ("index", "length", "action"):
            np.testing.assert_array_equal(joined[name], whole[name])
        for name in ("index", "depth", "mask"):
            for one, other in zip(unpacked(joined, name), unpacked(whole, name), strict=True):
                np.testing.assert_array_equal(one, other)


def test_sequences_in_pieces_or_out_of_order_are_named(deal, store):
    for change in (lambda rows: np.roll(rows, 1), lambda rows: rows[[1, 0, *range(2, len(rows))]]):
        rows = change(np.arange(len(store.fields["frame"])))
        other = copy.copy(store)
        other.fields = {name: values[rows] for name, values in store.fields.items()}
        with pytest.raises(UserError, match=r"fhad: the frames of Subject_./.*are not in order"):
            deal(store=other)


def test_labels_that_are_no_class_are_named(deal, store):
    other = copy.copy(store)
    other.fields = store.fields | {"action": np.full_like(store.fields["action"], -1)}
    with pytest.raises(UserError, match=r"9 sequences are none of the 45 classes.*\(-1\)"):
        deal(store=other)


def test_opened_by_the_config(folder):
    assert isinstance(create_dataset(config_of(folder), BATCH), HandCropSequences)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("packing", 0, "must be at least 1"),
        ("cut", "middle", "must be one of end, start, both"),
        ("dataset", "hands", "must be a data set of hands that act"),
    ],
)
def test_values_that_cannot_be(folder, key, value, message):
    config = config_of(folder, source="")
    config.data[key] = value
    with pytest.raises(UserError, match=rf"config\.data\.{key}.*{message}"):
        check_source(config)
