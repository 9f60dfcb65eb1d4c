"""Anomaly detection by reconstruction: MemAE, or the plain autoencoder where the memory has no slots."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from ml_collections import ConfigDict

from vid_jax import losses
from vid_jax.default_config import seen_size
from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.video_files import list_videos
from vid_jax.models.memae import ADDRESSING, STRIDES, MemAE
from vid_jax.random_crop import random_crop
from vid_jax.report import Report
from vid_jax.tasks.base import Batch, Metrics, ModelState, Summaries, masked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# `_frame_anomaly` is imported where it is used: scikit-learn, SciPy and PyAV take two seconds.

_DEAD_QUERIES_ALARM = 0.5
_SLOTS_IN_USE_ALARM = 0.01
_MOTION = 0.1  # of intensities in [0, 1]: noise stays below it, people in front of a wall above


def make(config: ConfigDict) -> "MemAETask":
    """Builds the task from the `model`, `train` and `data` groups of a config."""
    model = config.model
    if model.memory_addressing not in ADDRESSING:
        raise UserError(
            f"model.memory_addressing={model.memory_addressing!r} is unknown; use one of "
            f"{', '.join(ADDRESSING)}"
        )
    by_block = {
        "strides": tuple(map(tuple, model.get("strides", STRIDES))),  # a workdir may be older
        "encoder_drop_rates": tuple(model.encoder_drop_rates),
        "decoder_drop_rates": tuple(model.decoder_drop_rates),
    }
    for name, values in by_block.items():
        if len(values) != len(model.channels):
            raise UserError(
                f"model.{name}={values}: one is needed for each of the {len(model.channels)} model.channels"
            )
    network = MemAE(
        channels=tuple(model.channels),
        width=model.width,
        memory_slots=model.memory_slots,
        memory_addressing=model.memory_addressing,
        memory_temperature=model.memory_temperature,
        shrink_threshold=model.shrink_threshold,
        **by_block,
        batch_norm_momentum=config.train.batch_norm_momentum,
        remat=model.remat,
        dtype=jnp.dtype(model.dtype),
    )
    data = config.data
    if data.eval_num_frames:
        raise UserError(
            f"data.eval_num_frames={data.eval_num_frames}: a score here is of a window's middle frame, so test "
            "windows are those of data.num_frames and data.stride; set it to 0"
        )
    return MemAETask(
        network,
        window=(data.num_frames, *data.frame_size, data.channels),
        entropy_weight=config.train.entropy_weight,
        mean=data.mean,
        std=data.std,
        resize=data.resize,
        random_crop=seen_size(data),
        pseudo_anomalies=data.pseudo_anomaly_probability > 0,
        pseudo_anomaly_margin=data.pseudo_anomaly_margin,
        smoothing_sigma=config.eval.smoothing_sigma,
    )


@dataclasses.dataclass(frozen=True)
class MemAETask:
    """Loss: squared error + `entropy_weight` times the entropy of the memory's weights (equation 10).

    With `pseudo_anomaly_margin` what moves in a pseudo-anomaly is to have a squared error of at least so much
    (`losses.motion_hinge`).
    """

    network: MemAE
    window: tuple[int, int, int, int]  # time, height, width, channel
    entropy_weight: float
    mean: float
    std: float
    resize: str
    random_crop: tuple[int, int]
    pseudo_anomalies: bool
    pseudo_anomaly_margin: float
    smoothing_sigma: float
    monitor: tuple[str, str] = ("loss", "min")
    predicted: tuple[str, ...] | None = None

    def prepare(self, dataset) -> ModelState:
        """Nothing is fitted on the data."""
        return {}

    def batch_spec(self, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Windows of intensities, uint8; what to make of pseudo-anomalies or, with a margin, which they are."""
        spec = {"video": jax.ShapeDtypeStruct((batch_size, *self.window), jnp.uint8)}
        if self.pseudo_anomaly_margin:
            spec["pseudo_anomaly"] = jax.ShapeDtypeStruct((batch_size,), jnp.bool_)
        elif self.pseudo_anomalies:
            spec["target"] = spec["video"]
        return spec

    def init(self, key: jax.Array, batch: Batch) -> tuple[dict, ModelState]:
        """Initialises parameters and BatchNorm statistics for the batch's shape."""
        variables = self.network.init(key, self._standardise(batch["video"]), train=False)
        return variables.pop("params"), variables

    def loss(
        self, params, model_state: ModelState, batch: Batch, key: jax.Array
    ) -> tuple[Array, tuple[ModelState, Metrics]]:
        """Mean over the batch of windows or crops, with BatchNorm on their statistics and spatial dropout."""
        video, target = batch["video"], batch.get("target", batch["video"])
        crop_key = jax.random.fold_in(key, 1)
        video, target = random_crop(crop_key, self.random_crop, video, target)
        video, target = self._standardise(video), self._standardise(target)
        (reconstruction, weights), updated = self.network.apply(
            {"params": params, **model_state},
            video,
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": key},
        )
        mask = jnp.ones(video.shape[0])
        loss, metrics = self._losses(
            target, reconstruction, weights, mask, batch.get("pseudo_anomaly")
        )
        return jnp.mean(loss), ({**model_state, **updated}, metrics)

    def eval_step(
        self, params, model_state: ModelState, batch: Batch
    ) -> tuple[Metrics, dict[str, Array]]:
        """Losses, and for each window what the evaluation needs of it.

        Outputs: `score`, the mean over the window of the absolute error (its length over the channels);
        `error_map` and `reconstruction` (uint8) of the frame that the score belongs to.
        """
        video, reconstruction, weights = self._reconstruct(params, model_state, batch)
        _, metrics = self._losses(video, reconstruction, weights, batch["mask"])
        error = jnp.linalg.norm(reconstruction - video, axis=-1)
        frame = video.shape[1] // 2
        return metrics, {
            "score": error.mean((1, 2, 3)),
            "error_map": error[:, frame],
            "reconstruction": self._to_uint8(reconstruction[:, frame]),
        }

    def evaluate(self, outputs: Iterable[dict[str, np.ndarray]], dataset) -> Report:
        """Frame and pixel AUC on the test split, beside the trivial baselines."""
        from vid_jax.tasks import _frame_anomaly

        name = "MemAE" if self.network.memory_slots else "autoencoder"
        return _frame_anomaly.evaluate(outputs, dataset, name, self.smoothing_sigma)

    def calibrate(self, outputs: Iterable[dict[str, np.ndarray]]) -> dict:
        """Quantiles of the training scores."""
        from vid_jax.tasks import _frame_anomaly

        return _frame_anomaly.calibrate(outputs)

    def inputs(self, source: Path) -> dict[str, Path]:
        """Videos and folders of frames."""
        return list_videos(source)

    def predict(
        self, eval_step, batch_size: int, source: Path, output: Path, calibration: dict
    ) -> None:
        """Scores every frame of a video or a folder of frames."""
        from vid_jax.tasks import _frame_anomaly

        _frame_anomaly.predict(
            eval_step, batch_size, source, output, calibration, self.window, self.resize
        )

    def browse(self, dataset) -> dict[str, "Figure"]:
        """Contact sheets of windows."""
        from vid_jax.tasks import _frame_anomaly

        return _frame_anomaly.browse(dataset)

    def summaries(self, params, model_state: ModelState, batch: Batch) -> Summaries:
        """Input | reconstruction | error of up to four windows; the memory's use and size."""
        video, reconstruction, weights = self._reconstruct(params, model_state, batch)
        frame = video.shape[1] // 2
        target, output = (self._to_unit(v[:4, frame]) for v in (video, reconstruction))
        error = jnp.abs(target - output)
        histograms = {}
        if weights is not None:
            slots = params["memory"]["slots"]
            histograms["memory/mean_weight_of_slot"] = weights.mean((0, 1, 2, 3))
            histograms["memory/norm_of_slot"] = jnp.linalg.norm(slots, axis=-1)
            histograms["memory/largest_weight_of_query"] = weights.max(-1).ravel()
        return {
            "images": {
                "reconstruction/input_reconstruction_error": jnp.concatenate(
                    [target, output, error / jnp.maximum(error.max(), 1e-6)], axis=2
                ),
            },
            "histograms": histograms,
        }

    def warnings(self, metrics: dict[str, float]) -> list[str]:
        """Says when the memory collapses: queries without slots, or a handful of slots for all."""
        slots = self.network.memory_slots
        if not slots:
            return []
        if metrics["dead_queries"] > _DEAD_QUERIES_ALARM:
            return [
                f"memory: {metrics['dead_queries']:.0%} of the queries have no slot above the threshold; "
                "lower model.shrink_threshold, model.memory_temperature or train.entropy_weight"
            ]
        if metrics["slots_in_use"] < max(2, _SLOTS_IN_USE_ALARM * slots):
            return [
                f"memory: only {metrics['slots_in_use']:.0f} of {slots} slots are in use; lower "
                "train.entropy_weight or the learning rate"
            ]
        return []

    def _reconstruct(self, params, model_state, batch):
        video = self._standardise(batch["video"])
        reconstruction, weights = self.network.apply(
            {"params": params, **model_state}, video, train=False
        )
        return video, reconstruction, weights

    def _losses(
        self,
        target,
        reconstruction,
        weights,
        mask: Float[Array, " batch"],
        pseudo_anomaly: Bool[Array, " batch"] | None = None,
    ):
        loss = error = losses.squared_error(reconstruction, target)
        metrics = {"reconstruction": masked(error, mask)}
        if pseudo_anomaly is not None:
            lacking = losses.motion_hinge(
                reconstruction, target, self.pseudo_anomaly_margin, _MOTION / self.std
            )
            loss = jnp.where(pseudo_anomaly, lacking, error)
            metrics = {
                "reconstruction": masked(error, mask * ~pseudo_anomaly),
                "reconstruction_of_pseudo_anomalies": masked(error, mask * pseudo_anomaly),
            }
        if weights is not None:
            entropy = losses.attention_entropy(weights)
            loss += self.entropy_weight * entropy
            used = jnp.einsum("bthws,b->s", weights, mask) > 0
            metrics |= {
                "entropy": masked(entropy, mask),
                "dead_queries": masked(losses.dead_queries(weights), mask),
                "slots_in_use": (used.sum().astype(jnp.float32), jnp.float32(1)),
            }
        return loss, {"loss": masked(loss, mask)} | metrics

    def _standardise(self, video: Array) -> Float[Array, "batch time height width channel"]:
        return (video.astype(jnp.float32) / 255 - self.mean) / self.std

    def _to_unit(self, video: Array) -> Array:
        return jnp.clip(video * self.std + self.mean, 0, 1)

    def _to_uint8(self, video: Array) -> Array:
        return jnp.round(255 * self._to_unit(video)).astype(jnp.uint8)
