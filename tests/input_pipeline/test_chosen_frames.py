import numpy as np
import pytest
from tiny_data import write_image
from tiny_films import film, scene, write_film

from vid_jax.input_pipeline import chosen_frames
from vid_jax.input_pipeline.chosen_frames import read_chosen
from vid_jax.input_pipeline.video_reader import read_frames

FILES = {
    "b_frames.mp4": {"options": {"g": "25", "bf": "3"}},
    "one_group.mkv": {"options": {"g": "1000"}},
    "intra.avi": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "mpeg4.avi": {"codec": "mpeg4"},
    "stream.ts": {},
    "uneven.mkv": {"times": list(np.cumsum([0.04, 0.01, 0.2, 0.3] * 20))},
}


@pytest.mark.parametrize("name", FILES)
def test_frames_are_those_of_reading_all(tmp_path, name):
    path = write_film(tmp_path / name, film([30, 20, 30]), **FILES[name])
    every = {frame.number: (frame.timestamp, frame.image()) for frame in read_frames(path)}
    numbers = [1, 2, 9, 31, 32, 60, 79, 80]
    found = list(read_chosen(path, numbers, [every[number][0] for number in numbers]))
    assert len(found) == len(numbers)
    for number, image in zip(numbers, found, strict=True):
        np.testing.assert_array_equal(image, every[number][1])


def test_a_jump_decodes_less_than_all(tmp_path, monkeypatch):
    path = write_film(tmp_path / "a.mp4", film([200]), options={"g": "20", "bf": "0"})
    monkeypatch.setattr(chosen_frames, "read_frames", None)
    (image,) = read_chosen(path, [181], [180 / 25])
    np.testing.assert_allclose(image.mean(), scene(0).mean(), atol=5)


def test_a_stream_without_times_is_decoded_from_its_beginning(tmp_path):
    path = write_film(tmp_path / "a.h264", film([10, 10]))
    frames = list(read_frames(path))
    (found,) = read_chosen(path, [15], [frames[14].timestamp])
    np.testing.assert_array_equal(found, frames[14].image())


def test_images_of_a_folder_are_found_by_their_numbers(tmp_path):
    for number in (4, 7, 20):
        write_image(tmp_path / f"walk/f{number}.png", scene(number)[..., ::-1])
    found = list(read_chosen(tmp_path / "walk", [4, 20], [0.0, 0.08]))
    np.testing.assert_array_equal(found, [scene(4), scene(20)])
