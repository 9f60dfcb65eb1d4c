import csv

import numpy as np
from ml_collections import ConfigDict
from tiny_films import film, write_film

from vid_jax.key_clip_settings import Settings
from vid_jax.tasks import _key_clips


def test_a_network_is_fed_batches_of_its_size(tmp_path):
    path = write_film(tmp_path / "a.mp4", film([60, 60]))
    masks = []

    def eval_step(batch):
        assert batch["image"].shape == (2, 8, 16, 3)
        masks.append(batch["mask"].tolist())
        return {"embedding": batch["image"].reshape(2, -1) - 128.0}

    embed = _key_clips.embedder(eval_step, 2, (8, 16))
    _key_clips.predict(embed, path, tmp_path / "out", ConfigDict(vars(Settings())))
    assert masks[0] == [1, 1]
    assert len(masks) > 2
    with (tmp_path / "out/keyframes.csv").open(newline="") as file:
        assert [(int(row["frame"]) - 1) // 60 for row in csv.DictReader(file)] == [0, 1]


def test_a_batch_that_is_not_full_gives_as_many_embeddings_as_there_are_images():
    images = [np.full((4, 8, 3), value, np.uint8) for value in range(5)]
    embed = _key_clips.embedder(lambda batch: {"embedding": batch["image"][:, 0, 0]}, 2, (8, 16))
    np.testing.assert_array_equal(embed(images), np.repeat(np.arange(5)[:, None], 3, 1))
