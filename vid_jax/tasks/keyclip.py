"""Key clips: an autoencoder of photographs, whose latent numbers tell a video's frames apart."""

import dataclasses
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from vid_jax import ssim
from vid_jax.default_config import seen_size
from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.video_files import list_videos
from vid_jax.models.keyclip_autoencoder import HALVINGS, KeyClipAutoencoder
from vid_jax.random_crop import random_crop
from vid_jax.report import Report
from vid_jax.tasks.base import Batch, Metrics, ModelState, Summaries, masked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vid_jax.key_clip_analysis import Embed

LOSSES = ("ms_ssim_l1", "classic", "l1", "l2")


def make(config: ConfigDict) -> "KeyClipTask":
    """Builds the task from the `model`, `train` and `data` groups of a config."""
    model, train, data = config.model, config.train, config.data
    if train.loss not in LOSSES:
        raise UserError(f"train.loss={train.loss!r} is unknown; use one of {', '.join(LOSSES)}")
    if not 0 <= train.alpha <= 1:
        raise UserError(f"train.alpha={train.alpha}: must be between 0 and 1")
    if any(side % 2**HALVINGS for side in data.frame_size):
        raise UserError(
            f"data.frame_size={tuple(data.frame_size)}: must be multiples of {2**HALVINGS}"
        )
    seen = seen_size(data)
    if train.loss == "classic":
        try:
            ssim.classic_weights(*seen)
        except ValueError as error:
            raise UserError(
                f"data.frame_size or data.random_crop is too small for train.loss=classic: {error}"
            ) from error
    network = KeyClipAutoencoder(
        widths=tuple(model.widths),
        latent_channels=model.latent_channels,
        input_norm=model.input_norm,
        batch_norm_momentum=train.batch_norm_momentum,
        dtype=jnp.dtype(model.dtype),
    )
    return KeyClipTask(
        network=network,
        frame_size=tuple(data.frame_size),
        loss_name=train.loss,
        alpha=train.alpha,
        flip_probability=data.flip_probability,
        random_crop=seen,
        settings=config.predict,
    )


@dataclasses.dataclass(frozen=True)
class KeyClipTask:
    """Loss: by name, of the reconstruction of images in [-1, 1]."""

    network: KeyClipAutoencoder
    frame_size: tuple[int, int]
    loss_name: str
    alpha: float
    flip_probability: float
    random_crop: tuple[int, int]
    settings: ConfigDict  # of the extraction
    monitor: tuple[str, str] = ("loss", "min")
    predicted: tuple[str, ...] | None = ("embedding",)

    def prepare(self, dataset) -> ModelState:
        """Nothing is fitted on the data."""
        return {}

    def batch_spec(self, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Images of RGB values, uint8, and their numbers."""
        shape = (batch_size, *self.frame_size, 3)
        return {
            "image": jax.ShapeDtypeStruct(shape, jnp.uint8),
            "index": jax.ShapeDtypeStruct((batch_size,), jnp.int32),
        }

    def init(self, key: jax.Array, batch: Batch) -> tuple[dict, ModelState]:
        """Initialises parameters and BatchNorm statistics for the batch's shape."""
        variables = self.network.init(key, standardised(batch["image"]), train=False)
        return variables.pop("params"), variables

    def loss(
        self, params, model_state: ModelState, batch: Batch, key: jax.Array
    ) -> tuple[Array, tuple[ModelState, Metrics]]:
        """Mean over the batch of images, cropped and some mirrored, with BatchNorm on the batch's statistics."""
        image = self._augmented(standardised(batch["image"]), key)
        reconstruction, updated = self.network.apply(
            {"params": params, **model_state}, image, train=True, mutable=["batch_stats"]
        )
        loss = self.image_loss(image, reconstruction)
        metrics = self._metrics(image, reconstruction, loss, jnp.ones(len(image)))
        return jnp.mean(loss), ({**model_state, **updated}, metrics)

    def eval_step(
        self, params, model_state: ModelState, batch: Batch
    ) -> tuple[Metrics, dict[str, Array]]:
        """Losses, and for each image its `embedding` (d,) and its `reconstruction` (h, w, 3) uint8."""
        image = standardised(batch["image"])
        variables = {"params": params, **model_state}
        latent = self.network.apply(variables, image, train=False, method="encode")
        reconstruction = self.network.apply(variables, latent, train=False, method="decode")
        loss = self.image_loss(image, reconstruction)
        metrics = self._metrics(image, reconstruction, loss, batch["mask"])
        return metrics, {
            "embedding": latent.reshape(len(latent), -1),
            "reconstruction": to_uint8(reconstruction),
            **{
                f"measure/{name}": of(image, reconstruction) for name, of in self.measures().items()
            },
        }

    def measures(self) -> dict:
        """What an evaluation reports of images and reconstructions in [-1, 1], each a function to (b,)."""
        measures = {
            "loss": self.image_loss,
            "ms_ssim_l1_0.84": functools.partial(ssim.ms_ssim_l1, alpha=0.84),
            "ms_ssim_l1_0.025": functools.partial(ssim.ms_ssim_l1, alpha=0.025),
            "l1": ssim.l1,
            "l2": ssim.l2,
            "ms_ssim": ssim.ms_ssim,
        }
        try:
            weights = ssim.classic_weights(*self.frame_size)
        except ValueError:  # too small
            return measures
        return measures | {
            "classic_ms_ssim": functools.partial(ssim.classic_ms_ssim, weights=weights)
        }

    def evaluate(self, outputs: Iterable[dict[str, np.ndarray]], dataset) -> Report:
        """Losses on the held-out images, beside those of thumbnails of as many values."""
        from vid_jax.tasks import _keyclip_report

        return _keyclip_report.evaluate(outputs, dataset, self.measures(), self.loss_name)

    def calibrate(self, outputs: Iterable[dict[str, np.ndarray]]) -> dict:
        """Nothing: distances of frames are compared within their own video."""
        return {}

    def inputs(self, source: Path) -> dict[str, Path]:
        """Videos and folders of frames."""
        return list_videos(source)

    def predict(
        self, eval_step, batch_size: int, source: Path, output: Path, calibration: dict
    ) -> None:
        """Writes a video's key frames and clips."""
        from vid_jax.tasks import _key_clips

        _key_clips.predict(self.embedder(eval_step, batch_size), source, output, self.settings)

    def embedder(self, eval_step, batch_size: int) -> "Embed":
        """Latent numbers (n, d) of any images, from an `eval_step` that takes batches of `batch_size`."""
        from vid_jax.key_clip_analysis import BATCH
        from vid_jax.tasks import _key_clips

        few = max(BATCH, jax.device_count())
        at_a_time = batch_size if batch_size % few else few
        return _key_clips.embedder(eval_step, at_a_time, self.frame_size)

    def browse(self, dataset) -> dict[str, "Figure"]:
        """Contact sheets of training and held-out images."""
        from vid_jax.tasks import _keyclip_report

        return _keyclip_report.browse(dataset)

    def summaries(self, params, model_state: ModelState, batch: Batch) -> Summaries:
        """Input | reconstruction of up to four images, and the latent numbers."""
        image = standardised(batch["image"][:4])
        variables = {"params": params, **model_state}
        latent = self.network.apply(variables, image, train=False, method="encode")
        reconstruction = self.network.apply(variables, latent, train=False, method="decode")
        pair = jnp.concatenate([image, reconstruction], axis=2)
        return {
            "images": {"reconstruction/input_reconstruction": (pair + 1) / 2},
            "histograms": {"latent": latent},
        }

    def warnings(self, metrics: dict[str, float]) -> list[str]:
        """Nothing."""
        return []

    def image_loss(self, image: Array, reconstruction: Array) -> Float[Array, " batch"]:
        """The training loss of each image."""
        if self.loss_name == "l1":
            return ssim.l1(image, reconstruction)
        if self.loss_name == "l2":
            return ssim.l2(image, reconstruction)
        if self.loss_name == "ms_ssim_l1":
            return ssim.ms_ssim_l1(image, reconstruction, self.alpha)
        weights = ssim.classic_weights(*image.shape[1:3])
        similarity = ssim.classic_ms_ssim(image, reconstruction, weights=weights)
        return self.alpha * (1 - similarity) + (1 - self.alpha) * ssim.l1(image, reconstruction)

    def _augmented(self, image: Array, key: jax.Array) -> Array:
        flip_key, crop_key = jax.random.split(key)
        if self.flip_probability:
            flips = jax.random.bernoulli(flip_key, self.flip_probability, (len(image), 1, 1, 1))
            image = jnp.where(flips, image[:, :, ::-1], image)
        return random_crop(crop_key, self.random_crop, image)[0]

    def _metrics(self, image, reconstruction, loss, mask) -> Metrics:
        return {
            "loss": masked(loss, mask),
            "l1": masked(ssim.l1(image, reconstruction), mask),
        }


def standardised(image: Array) -> Float[Array, "batch height width 3"]:
    """Of uint8 in [-1, 1]."""
    return image.astype(jnp.float32) / 127.5 - 1


def to_uint8(image: Float[Array, "batch height width 3"]) -> Array:
    """Of [-1, 1] as uint8."""
    return jnp.round(127.5 * (jnp.clip(image, -1, 1) + 1)).astype(jnp.uint8)
