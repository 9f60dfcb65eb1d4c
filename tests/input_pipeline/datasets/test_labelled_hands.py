"""Labelled hands that exceed the memory in which TensorFlow Datasets sorts."""

import itertools

import pytest
from tensorflow_datasets.core import shuffle

from benchmarks.generated_fhad import write_hands
from vid_jax.input_pipeline.datasets.fhad import Fhad
from vid_jax.input_pipeline.frame_files import BadFrames
from vid_jax.input_pipeline.records import iterate_records


@pytest.fixture
def on_disk(monkeypatch):
    """As with more than 1 GB."""
    monkeypatch.setattr(shuffle, "MAX_MEM_BUFFER_SIZE", 0)


def test_records_sorted_on_disk_keep_their_order(tmp_path, on_disk):
    write_hands(tmp_path / "published", num_frames=5)
    builder = Fhad(source=tmp_path / "published", data_dir=tmp_path / "prepared")
    builder.download_and_prepare()
    frames = [
        (record["sequence"].decode()[-1], int(record["frame"]))
        for record in iterate_records(builder, "frames")
    ]
    assert frames == [("1", 0), ("1", 1), ("1", 2), ("2", 0), ("2", 1)]


def test_no_more_than_a_few_thousand_records_are_sorted_together(tmp_path):
    builder = Fhad(data_dir=tmp_path)
    records = ({} for _ in range(20_000))
    keys = (key for key, _ in builder._generate_examples(records, BadFrames("error")))
    buckets = [shuffle.get_bucket_number(key, shuffle.BUCKETS_NUMBER) for key in keys]
    sizes = [len([*bucket]) for _, bucket in itertools.groupby(buckets)]
    assert buckets == sorted(buckets)
    assert max(sizes) < 5000
