"""Key frames and clips of anyone's videos, with a trained network's embeddings."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from vid_jax.input_pipeline.datasets.image_files import resized
from vid_jax.key_clip_settings import Settings
from vid_jax.key_clips import extract


def predict(
    embed: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
    frame_size: tuple[int, int],
    source: Path,
    output: Path,
    settings: ConfigDict,
) -> None:
    """Writes key frames and clips of one video, see `extract`.

    Args:
        embed: from images (n, *frame_size, 3) uint8, RGB, to embeddings (n, d) float32.
        batch_size: the largest n.
        frame_size: height and width that images are stretched to.
        source: a video file or a folder of numbered images.
        output: a folder.
        settings: config.predict, with the fields of `Settings`.
    """

    def embed_all(images: Sequence[np.ndarray]) -> np.ndarray:
        frames = np.stack([resized(image, frame_size) for image in images])
        parts = np.split(frames, range(batch_size, len(frames), batch_size))
        return np.concatenate([embed(part) for part in parts])

    names = [field.name for field in dataclasses.fields(Settings)]
    extract(source, output, Settings(**{name: settings[name] for name in names}), embed_all)
