from fractions import Fraction

import av
import numpy as np
import pytest
from tiny_data import write_image
from tiny_films import film, scene, write_film

from vid_jax.clip_files import copy_clips, cut_clips
from vid_jax.errors import UserError
from vid_jax.input_pipeline.video_reader import iterate_video


def scene_of(image: np.ndarray, scenes: int = 3) -> int:
    differences = [np.abs(image.astype(int) - scene(i)).mean() for i in range(scenes)]
    return int(np.argmin(differences))


def test_exact_clips_hold_just_their_frames(tmp_path):
    path = write_film(tmp_path / "a.mp4", film([13, 9, 20]))
    times = [time for time, _ in iterate_video(path)]
    spans = [(0.0, 13 / 25), (13 / 25, 22 / 25), (22 / 25, 42 / 25)]
    clips = cut_clips(path, spans, times, tmp_path)
    assert [clip.name for clip, _ in clips] == ["0001.mp4", "0002.mp4", "0003.mp4"]
    np.testing.assert_allclose([start for _, start in clips], [start for start, _ in spans])
    for number, ((clip, _), length) in enumerate(zip(clips, (13, 9, 20), strict=True)):
        found_times, images = zip(*iterate_video(clip), strict=True)
        np.testing.assert_allclose(found_times, np.arange(length) / 25, atol=1e-3)
        assert {scene_of(image) for image in images} == {number}


def test_exact_clips_of_a_folder_and_of_odd_grey_frames(tmp_path):
    for number in range(1, 11):
        write_image(tmp_path / f"walk/{number}.png", np.full((33, 47), 20 * number, np.uint8))
    ((clip, start),) = cut_clips(tmp_path / "walk", [(0.2, 0.4)], np.arange(10) / 25, tmp_path)
    images = [image for _, image in iterate_video(clip)]
    assert start == 0.2
    assert images[0].shape == (34, 48, 3)
    np.testing.assert_allclose(
        [image.mean() for image in images], [120, 140, 160, 180, 200], atol=4
    )


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".mov", ".ts"])
def test_copied_clips_begin_at_the_codecs_key_frame_before(tmp_path, suffix):
    options = {"g": "10", "sc_threshold": "0", "bf": "0" if suffix == ".avi" else "2"}
    path = write_film(tmp_path / f"a{suffix}", film([13, 9, 20]), options=options)
    first = next(iterate_video(path))[0]
    spans = [(first + 13 / 25, first + 22 / 25), (first + 22 / 25, first + 42 / 25)]
    clips = copy_clips(path, spans, tmp_path)
    assert clips[0][0].suffix == (".mkv" if suffix == ".ts" else suffix)
    np.testing.assert_allclose([start - first for _, start in clips], [0.4, 0.8], atol=2e-3)
    for (clip, _), scenes, length in zip(clips, ([0, 1], [1, 2]), (12, 22), strict=True):
        images = [image for _, image in iterate_video(clip)]
        assert sorted({scene_of(image) for image in images}) == scenes
        assert abs(len(images) - length) <= 2  # frames that refer to later ones may be missing


def write_film_with_sound(path) -> None:
    """Two seconds whose second half is heard."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"g": "5", "bf": "2"})
        video.height, video.width, video.pix_fmt = 48, 80, "yuv420p"
        sound = container.add_stream("aac", rate=16000)
        for index, image in enumerate(film([50])):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame))
            wave = (index >= 25) * np.sin(np.arange(640) / 5).astype(np.float32)[None]
            samples = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
            samples.sample_rate, samples.pts = 16000, 640 * index
            container.mux(sound.encode(samples))
        container.mux(video.encode())
        container.mux(sound.encode())


def heard(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)[0]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_is_copied_too(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_film_with_sound(path)
    (tmp_path / "out").mkdir()
    ((clip, start),) = copy_clips(path, [(0.8, 1.4)], tmp_path / "out")
    assert start == pytest.approx(0.8, abs=2e-3)
    assert len(heard(clip)) / 16000 == pytest.approx(0.6, abs=0.15)
    with av.open(str(clip)) as container:
        assert container.duration / av.time_base == pytest.approx(0.6, abs=0.15)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts"])
def test_sound_of_exact_clips_is_that_of_their_frames(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_film_with_sound(path)
    times = [time for time, _ in iterate_video(path)]
    (tmp_path / "out").mkdir()
    spans = [(times[0] + 0.2, times[0] + 0.8), (times[0] + 0.8, times[0] + 1.4)]
    (silent, _), (half, _) = cut_clips(path, spans, times, tmp_path / "out")
    assert [clip.name for clip in sorted((tmp_path / "out").iterdir())] == ["0001.mp4", "0002.mp4"]
    for clip in (silent, half):
        assert len(list(iterate_video(clip))) == 15
        assert len(heard(clip)) / 16000 == pytest.approx(0.6, abs=0.1)
    assert np.abs(heard(silent)).max() < 0.05
    with av.open(str(half)) as container:
        assert container.duration / av.time_base == pytest.approx(0.6, abs=0.1)
    loud = np.flatnonzero(np.abs(heard(half)) > 0.3) / 16000
    assert loud[0] == pytest.approx(0.2, abs=0.07)


def test_sound_that_cannot_be_read_is_left_out_saying_so(tmp_path, monkeypatch, caplog):
    path = tmp_path / "a.mp4"
    write_film_with_sound(path)

    def fail(*_):
        raise av.error.InvalidDataError(1, "damaged")

    monkeypatch.setattr(av, "AudioResampler", fail)
    times = [time for time, _ in iterate_video(path)]
    (tmp_path / "out").mkdir()
    ((clip, _),) = cut_clips(path, [(0.0, 1.0)], times, tmp_path / "out")
    assert "its sound is left out" in caplog.text
    assert len(list(iterate_video(clip))) == 25
    assert list((tmp_path / "out").iterdir()) == [clip]


def test_images_cannot_be_copied(tmp_path):
    with pytest.raises(UserError, match=r"images cannot be copied into clips; use clips=exact"):
        copy_clips(tmp_path, [(0.0, 1.0)], tmp_path)
