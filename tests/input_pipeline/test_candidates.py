import cv2
import numpy as np
import pytest
from tiny_data import write_image
from tiny_films import film, scene, write_film

from vid_jax.errors import UserError
from vid_jax.input_pipeline.candidates import CandidateStream, Sampling


def candidates(path, **sampling):
    stream = CandidateStream(path, Sampling(**sampling))
    return list(stream), stream


def numbers(path, **sampling):
    return [candidate.number for candidate in candidates(path, **sampling)[0]]


def test_the_sharpest_sample_of_each_window_is_taken(tmp_path):
    frames = [cv2.GaussianBlur(image, (0, 0), 3) for image in film([50])]
    for sharp in (10, 12, 40):  # 12 is not sampled: every fifth is
        frames[sharp] = scene(0)
    found, stream = candidates(write_film(tmp_path / "a.mp4", frames))
    assert [candidate.number for candidate in found] == [11, 41]
    np.testing.assert_allclose([candidate.timestamp for candidate in found], [0.4, 1.6])
    assert len(stream.cuts.times) == 50
    assert stream.cuts.end == pytest.approx(2.0)
    assert stream.num_lost == 0


def test_measures_of_a_candidate(tmp_path):
    write_image(tmp_path / "walk/7.png", scene(1)[..., ::-1])
    ((candidate,), _) = candidates(tmp_path / "walk")
    grey = cv2.cvtColor(scene(1), cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(candidate.image, scene(1))
    assert candidate.number == 7
    assert candidate.timestamp == 0
    assert candidate.brightness == pytest.approx(grey.mean())
    assert candidate.contrast == pytest.approx(grey.std())
    assert candidate.sharpness == pytest.approx(cv2.Laplacian(grey, cv2.CV_64F).var())


def test_images_of_candidates_are_small_and_keep_their_form(tmp_path):
    path = write_film(tmp_path / "a.mp4", film([2], size=(720, 960)))
    ((candidate,), _) = candidates(path)
    assert candidate.image.shape == (360, 480, 3)
    grey = np.full((600, 1200), 90, np.uint8)
    write_image(tmp_path / "walk/1.png", grey)
    ((candidate,), _) = candidates(tmp_path / "walk")
    np.testing.assert_array_equal(candidate.image, np.full((240, 480, 3), 90))


def test_a_cut_ends_a_window_so_that_short_shots_have_candidates(tmp_path):
    path = write_film(tmp_path / "a.mp4", film([30, 8, 40]))
    starts = np.array([1, 31, 39])
    shots = [int(np.searchsorted(starts, number, side="right")) for number in numbers(path)]
    assert set(shots) == {1, 2, 3}
    assert shots.count(2) == 1


def test_times_decide_where_frames_come_unevenly(tmp_path):
    times = [0.0, 0.05, 0.1, 1.0, 1.01, 1.02, 3.5, 3.9]
    frames = film([8])
    frames[1] = frames[4] = cv2.GaussianBlur(scene(0), (0, 0), 2)
    path = write_film(tmp_path / "a.mkv", frames, codec="ffv1", pixels="bgr0", times=times)
    found, stream = candidates(path)
    assert [int(candidate.timestamp) for candidate in found] == [0, 1, 3]
    np.testing.assert_allclose(stream.cuts.times, times, atol=1e-3)
    assert stream.cuts.end == pytest.approx(3.9 + 1 / 25, abs=1e-3)  # as the file says of a frame


@pytest.mark.parametrize("rate", [0.5, 2, 4])
def test_every_frame_is_a_sample_where_there_are_fewer(tmp_path, rate):
    path = write_film(tmp_path / "a.mp4", film([12]), rate=rate)
    found = numbers(path, window=1 / rate)
    assert found == list(range(1, 13))


def test_the_window_at_the_end_need_not_be_full(tmp_path):
    path = write_film(tmp_path / "a.mp4", film([28]))
    assert numbers(path, samples_per_second=25)[-1] in (26, 27, 28)
    assert numbers(write_film(tmp_path / "b.mp4", film([1]))) == [1]


def test_rows_per_second_and_window_can_be_set(tmp_path):
    path = write_film(tmp_path / "a.mp4", film([100]))
    assert len(numbers(path, window=0.5)) == 8
    assert numbers(path, samples_per_second=1) == [1, 26, 51, 76]


def test_frames_that_cannot_be_decoded_are_counted_and_their_time_passes(tmp_path):
    for number in range(1, 51):
        write_image(tmp_path / f"walk/{number}.png", scene(0))
    for number in range(10, 20):
        (tmp_path / f"walk/{number}.png").write_bytes(b"broken")
    found, stream = candidates(tmp_path / "walk")
    assert stream.num_lost == 10
    assert len(found) == 2
    assert stream.cuts.end == pytest.approx(2.0)
    for number in range(1, 51):
        (tmp_path / f"walk/{number}.png").write_bytes(b"broken")
    with pytest.raises(UserError, match="walk: none of 50 frames can be decoded"):
        candidates(tmp_path / "walk")
