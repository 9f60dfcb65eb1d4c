"""Key frames and clips of anyone's videos, with a trained network's embeddings."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from vid_jax.input_pipeline.datasets.image_files import resized
from vid_jax.key_clip_analysis import Embed
from vid_jax.key_clip_settings import Settings
from vid_jax.key_clips import extract


def embedder(
    eval_step: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]],
    batch_size: int,
    frame_size: tuple[int, int],
) -> Embed:
    """A network's latent numbers (n, d) of images of any size and number, which are stretched as in training.

    Args:
        eval_step: of batches of `batch_size` images.
        batch_size: the last batch is filled up.
        frame_size: height and width.
    """

    def embed_batch(images: Sequence[np.ndarray]) -> np.ndarray:
        frames = np.zeros((batch_size, *frame_size, 3), np.uint8)
        frames[: len(images)] = [resized(image, frame_size) for image in images]
        batch = {
            "image": frames,
            "index": np.zeros(batch_size, np.int32),
            "mask": (np.arange(batch_size) < len(images)).astype(np.float32),
        }
        return np.asarray(eval_step(batch)["embedding"])[: len(images)]

    def embed(images: Sequence[np.ndarray]) -> np.ndarray:
        starts = range(0, len(images), batch_size)
        return np.concatenate([embed_batch(images[start:][:batch_size]) for start in starts])

    return embed


def predict(embed: Embed, source: Path, output: Path, settings: ConfigDict) -> None:
    """Writes key frames and clips of one video, see `extract`.

    Args:
        embed: from images to embeddings (n, d) float32.
        source: a video file or a folder of numbered images.
        output: a folder.
        settings: config.predict, with the fields of `Settings`.
    """
    names = [field.name for field in dataclasses.fields(Settings)]
    extract(source, output, Settings(**{name: settings[name] for name in names}), embed)
