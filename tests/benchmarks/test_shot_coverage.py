import sys

import cv2
import numpy as np
import pytest

from benchmarks import generated_films, shot_coverage
from benchmarks.generated_films import KINDS, SIZE, find_sources, make_film, write_film
from vid_jax.errors import UserError
from vid_jax.input_pipeline.video_reader import iterate_video
from vid_jax.metrics.key_frames import shot_coverage as coverage

SHOTS = 4


@pytest.fixture(scope="module", autouse=True)
def short_films():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generated_films, "SHOTS", SHOTS)
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Fifty photographs of few colours, and a video of two scenes."""
    folder = tmp_path_factory.mktemp("sources")
    rng = np.random.default_rng(0)
    (folder / "photographs").mkdir()
    (folder / "videos").mkdir()
    for i in range(50):
        blocks = rng.integers(0, 256, (3, 4, 3), np.uint8)
        image = cv2.resize(blocks, (64, 48), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(folder / "photographs" / f"{i:03d}.jpg"), image)
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(folder / "videos" / "two.avi"), codec, 25, SIZE[::-1])
    for number, shade in ((120, 40), (60, 200)):
        for _ in range(number):
            writer.write(np.full((*SIZE, 3), shade, np.uint8))
    writer.release()
    return folder / "photographs", folder / "videos"


@pytest.fixture(scope="module")
def sources(folders):
    return find_sources(*folders)


def test_nothing_is_both_tuned_on_and_reported_on(sources):
    tuning, reported = sources
    assert (len(tuning.photographs), len(reported.photographs)) == (40, 10)
    assert not set(tuning.photographs) & set(reported.photographs)
    assert [e.scene[1] for e in tuning.excerpts] == [0]
    assert [e.scene[1] for e in reported.excerpts] == [1]  # a cut is seen


def test_a_film_is_the_same_for_the_same_seed(sources):
    films = [make_film("flash", seed, sources[0]) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(films[0].shots, films[1].shots)
    for one, other in zip(films[0].frames(), films[1].frames(), strict=True):
        assert np.array_equal(one, other)
    assert films[2].shots[-1, 1] != films[0].shots[-1, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_shots_are_in_order_and_hard_films_change_between_them(sources, kind):
    film = make_film(kind, 0, sources[1])
    starts, ends = film.shots.T
    frames = np.stack([frame[::8, ::8] for frame in film.frames()]).astype(int)
    assert len(film.shots) == SHOTS
    assert starts[0] == 0
    assert ends[-1] == film.num_frames == len(frames)
    assert (ends - starts >= 20).all()
    gaps = starts[1:] - ends[:-1]
    assert (gaps > 0).all() if kind == "dissolve" else (gaps == 0).all()
    if kind == "hard":
        jumps = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
        assert sorted(np.argsort(jumps)[-SHOTS + 1 :] + 1) == starts[1:].tolist()


def test_a_written_film_has_all_frames(sources, tmp_path):
    film = make_film("hard", 0, sources[1])
    write_film(film, tmp_path / "film.mp4")
    written = (image for _, image in iterate_video(tmp_path / "film.mp4"))
    apart = [
        np.abs(image[::4, ::4].astype(int) - frame[::4, ::4]).mean()
        for image, frame in zip(written, film.frames(), strict=True)
    ]
    assert max(apart) < 10


@pytest.mark.parametrize("missing", [0, 1])
def test_missing_sources_are_named(folders, tmp_path, missing):
    given = list(folders)
    given[missing] = tmp_path / "nowhere"
    with pytest.raises(UserError, match="nowhere is no folder"):
        find_sources(*given)
    given[missing] = tmp_path
    with pytest.raises(UserError, match="too little for films"):
        find_sources(*given)


def test_the_threshold_of_the_best_mean_is_chosen():
    scores = [
        {("a", 1.0): {"f1": 0.2}, ("a", 2.0): {"f1": 0.9}},
        {("a", 1.0): {"f1": 0.6}, ("a", 2.0): {"f1": 0.5}},
    ]
    assert shot_coverage.tuned(scores, {"a": (1.0, 2.0)}) == {"a": [2.0]}


def test_the_table_has_means_by_kind_and_one_row_for_chance():
    def film(precision):
        hit = coverage(np.array([0]), np.array([(0, 9)])) | {
            "f1": precision,
            "precision": precision,
        }
        return {
            ("vid_jax", None): hit,
            ("random 0", 2.0): hit,
            ("random 1", 2.0): hit | {"f1": 0.0},
        }

    table = shot_coverage.rows({kind: [film(0.5), film(1.0)] for kind in KINDS})
    assert [row["method"] for row in table] == ["vid_jax", "random", "random, spread"]
    assert table[0]["threshold"] == "default"
    assert table[0]["hard"] == table[0]["rest"] == 0.75
    assert table[1]["hard"] == 0.375
    assert table[2]["hard"] == pytest.approx(np.std([0.75, 0], ddof=1))


def test_the_command_prints_every_method(folders, tmp_path, monkeypatch, capsys):
    class Here:
        """A pool of this process."""

        def Pool(self, _):  # noqa: N802
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def map(self, function, jobs, _):
            return list(map(function, jobs))

        def imap(self, function, jobs):
            return map(function, jobs)

    monkeypatch.setattr(shot_coverage.multiprocessing, "get_context", lambda _: Here())
    monkeypatch.setattr(shot_coverage, "KINDS", ("hard",))
    monkeypatch.setattr(shot_coverage, "REST", ("hard",))
    photographs, videos = folders
    flags = [f"--photographs={photographs}", f"--videos={videos}", "--films=1", "--tuning_films=1"]
    flags.append("--workdir=")
    monkeypatch.setattr(sys, "argv", ["shot_coverage", *flags, f"--json={tmp_path / 'f.json'}"])
    shot_coverage.main()
    shown = capsys.readouterr().out
    for name in (
        "vid_jax",
        "last kept",
        "neighbours (published)",
        "histograms",
        "uniform",
        "random",
    ):
        assert name in shown
    assert (tmp_path / "f.json").exists()
