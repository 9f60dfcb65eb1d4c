import csv

from ml_collections import ConfigDict
from tiny_films import film, write_film

from vid_jax.key_clip_settings import Settings
from vid_jax.tasks import _key_clips


def test_a_network_is_fed_batches_of_its_size(tmp_path):
    path = write_film(tmp_path / "a.mp4", film([60, 60]))
    shapes = []

    def embed(images):
        shapes.append(images.shape)
        return images.reshape(len(images), -1) - 128.0

    settings = ConfigDict(vars(Settings()))
    _key_clips.predict(embed, 2, (8, 16), path, tmp_path / "out", settings)
    assert shapes[:-1] == [(2, 8, 16, 3)] * (len(shapes) - 1)
    assert len(shapes) > 2
    with (tmp_path / "out/keyframes.csv").open(newline="") as file:
        assert [(int(row["frame"]) - 1) // 60 for row in csv.DictReader(file)] == [0, 1]
