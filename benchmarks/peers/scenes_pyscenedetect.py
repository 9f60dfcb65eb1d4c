"""Key frames by PySceneDetect: the middle frame of each scene."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import scenedetect
from scenedetect import AdaptiveDetector, ContentDetector, SceneDetector, SceneManager

logging.getLogger("pyscenedetect").setLevel(logging.WARNING)

DETECTORS: dict[str, Callable[[float], SceneDetector]] = {
    "content": lambda threshold: ContentDetector(threshold=threshold),
    "adaptive": lambda threshold: AdaptiveDetector(adaptive_threshold=threshold),
}

THRESHOLDS = {"content": 27.0, "adaptive": 3.0}  # PySceneDetect's own


class _Recorder(SceneDetector):
    """Keeps a detector's cuts for itself, so that several detectors look at one decoding."""

    def __init__(self, detector: SceneDetector):
        super().__init__()
        self.detector = detector
        self.cuts = []

    def process_frame(self, timecode, frame_img):
        self.cuts += self.detector.process_frame(timecode, frame_img)
        return []

    def post_process(self, timecode):
        self.cuts += self.detector.post_process(timecode)
        return []


def key_frames(path: Path, detector: str, thresholds: Sequence[float]) -> list[np.ndarray]:
    """Frames, from 0, that stand for the scenes found at each threshold."""
    recorders = [_Recorder(DETECTORS[detector](threshold)) for threshold in thresholds]
    manager = SceneManager()
    for recorder in recorders:
        manager.add_detector(recorder)
    num_frames = manager.detect_scenes(scenedetect.open_video(str(path)))
    edges = [
        np.array([0, *sorted({cut.frame_num for cut in recorder.cuts}), num_frames])
        for recorder in recorders
    ]
    return [(own[:-1] + own[1:] - 1) // 2 for own in edges]
