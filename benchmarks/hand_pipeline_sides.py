"""What the pipeline of hands does, timed: preparing a folder of depth maps, and delivering augmented crops."""

import itertools
import json
import time
from pathlib import Path

import jax
from ml_collections import ConfigDict

from vid_jax import sharding
from vid_jax.input_pipeline import create_dataset
from vid_jax.input_pipeline.crop_store import open_crop_store
from vid_jax.input_pipeline.hand_augmentation import normalised_depth, normalised_joints
from vid_jax.input_pipeline.prepare import prepare
from vid_jax.tasks._hand_crops import CropSettings


def prepare_hands(config: str) -> dict[str, float]:
    """Seconds to the raw tier and from there to the crop tier of a config in JSON, and the bytes of their frames."""
    config = ConfigDict(json.loads(config))
    start = time.perf_counter()
    builder = prepare(config)
    prepared = time.perf_counter()
    open_crop_store(builder, config)
    end = time.perf_counter()
    return {
        "raw seconds": prepared - start,
        "crop seconds": end - prepared,
        "raw bytes": _bytes(Path(builder.data_dir), "*.tfrecord*"),
        "crop bytes": sum(
            _bytes(Path(config.data.dir) / "crop_store", file)
            for file in ("crops.bin", "fields.npz")
        ),
    }


def deliver(config: str, steps: int, rounds: int) -> list[float]:
    """Crops a second of each round over `steps` training batches of a config in JSON, augmented and normalised."""
    config = ConfigDict(json.loads(config))
    batch_size = config.train.batch_size
    settings, mesh = CropSettings.of(config), sharding.create_mesh(batch_size)

    @jax.jit
    def augment(batch):
        hands = settings.augmented(batch)
        return normalised_depth(hands), normalised_joints(hands)

    def run(batches):
        for batch in batches:
            jax.block_until_ready(augment(sharding.put_batch(batch, mesh)))

    batches = create_dataset(config, batch_size).train_batches(0)
    run(itertools.islice(batches, 1))
    rates = []
    for _ in range(rounds):
        start = time.perf_counter()
        run(itertools.islice(batches, steps))
        rates.append(steps * batch_size / (time.perf_counter() - start))
    batches.close()
    return rates


def _bytes(folder: Path, files: str) -> int:
    return sum(path.stat().st_size for path in folder.rglob(files))
