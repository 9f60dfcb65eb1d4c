import cv2
import numpy as np
import pytest

scenedetect = pytest.importorskip(
    "scenedetect", reason="PySceneDetect is not installed: pip install -r requirements-bench.txt"
)

from benchmarks.peers.scenes_pyscenedetect import DETECTORS, key_frames  # noqa: E402


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Three scenes of 30 frames, of other colours and some noise."""
    path = tmp_path_factory.mktemp("film") / "film.avi"
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200)):
        for _ in range(30):
            writer.write(np.uint8(colour) + rng.integers(0, 20, (48, 64, 3), np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize("detector", DETECTORS)
def test_key_frames_are_in_the_middle_of_the_scenes_that_detect_finds(film, detector):
    thresholds = (3.0, 20.0, 200.0)
    found = key_frames(film, detector, thresholds)
    for threshold, own in zip(thresholds, found, strict=True):
        scenes = scenedetect.detect(str(film), DETECTORS[detector](threshold), start_in_scene=True)
        middles = [(a.frame_num + b.frame_num - 1) // 2 for a, b in scenes]
        assert own.tolist() == middles
    assert found[-1].tolist() == [44]


def test_scenes_that_differ_are_told_apart(film):
    [found] = key_frames(film, "content", [20.0])
    assert found.tolist() == [14, 44, 74]
