"""The network that ships, on videos."""

import csv
from pathlib import Path

import cv2
import numpy as np
from tiny_films import write_film

import main
from vid_jax import predict_lib, pretrained
from vid_jax.input_pipeline.datasets.generated_images import draw_image
from vid_jax.workdir import load_config

FOLDER = pretrained.folder("pretrained:keyclip")
LENGTH = 60  # frames of a scene


def pans(numbers) -> list[np.ndarray]:
    """Frames of a slow pan over each of some generated images."""
    images = [cv2.resize(draw_image(number), (300, 150)) for number in numbers]
    return [image[:144, i : i + 240] for image in images for i in range(LENGTH)]


def test_scenes_of_a_video_are_found_without_any_training(tmp_path):
    path = write_film(tmp_path / "film.mp4", pans([0, 1, 2, 3]))
    flags = ["--mode=predict", "--workdir=pretrained:keyclip", f"--input={path}"]
    assert main.main(["main.py", *flags, f"--output={tmp_path / 'out'}"]) == 0
    with (tmp_path / "out/keyframes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["frame"]) - 1) // LENGTH for row in rows] == [0, 1, 2, 3]
    for name in ("index.html", "contact_sheet.png", "distance_curve.png", "keyframes.json"):
        assert (tmp_path / "out" / name).exists()


def test_photographs_like_images_are_rebuilt_better_than_by_their_mean():
    config = load_config(FOLDER)
    model = predict_lib.load_model(config, FOLDER)
    images = np.stack([cv2.resize(draw_image(number), (192, 96)) for number in range(32)])
    batch = {
        "image": images,
        "index": np.zeros(len(images), np.int32),
        "mask": np.ones(len(images), np.float32),
    }
    rebuilt = model.eval_step(["reconstruction"])(batch)["reconstruction"].astype(float)
    means = images.mean((1, 2), keepdims=True)
    assert np.abs(rebuilt - images).mean() < 0.5 * np.abs(images - means).mean()


def test_what_ships_is_small_and_names_no_folder_of_its_makers():
    files = [path for path in Path(FOLDER).iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 5e6
    config = load_config(FOLDER)
    assert (config.data.source, config.data.dir) == ("", "")
