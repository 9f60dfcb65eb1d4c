import numpy as np

from benchmarks import extraction, extraction_sides
from vid_jax.input_pipeline.video_reader import iterate_video


def test_a_repeated_video_is_as_long_and_goes_on_without_a_gap(tmp_path, monkeypatch):
    monkeypatch.setattr(extraction_sides, "SIZE", (48, 64))
    once, thrice = tmp_path / "once.mp4", tmp_path / "thrice.mp4"
    extraction_sides.write_video(once, 2)
    extraction_sides.repeat_video(once, thrice, 3)
    (times, frames), (all_times, all_frames) = (
        zip(*iterate_video(path)) for path in (once, thrice)
    )
    assert len(times) == 2 * extraction_sides.RATE
    np.testing.assert_allclose(np.diff(all_times), 1 / extraction_sides.RATE, atol=1e-3)
    np.testing.assert_array_equal(all_frames, frames * 3)


def test_every_side_that_is_installed_is_measured_beside_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(extraction_sides, "SIZE", (48, 64))
    path = tmp_path / "video.mp4"
    extraction_sides.write_video(path, 2)
    rows = extraction.measure(path, "", 1)
    names = ["vid_jax", "vid_jax to files", "vid_jax, histograms", "vid_jax, histograms, to files"]
    assert [row["side"] for row in rows[:5]] == [*names, "decoding"]
    assert [bool(row["target"]) for row in rows] == [True, True] + [False] * (len(rows) - 2)
    assert all(row["times real time"] > 0 for row in rows)
