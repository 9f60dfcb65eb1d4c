"""Prediction of the next frame with PredNet, and anomaly detection by the error of that prediction."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.video_files import list_videos
from vid_jax.metrics.prediction_scores import STATISTICS
from vid_jax.models.prednet import PredNet, output_names
from vid_jax.report import Report
from vid_jax.tasks.base import Batch, Metrics, ModelState, Summaries, masked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What reads and writes files is imported where it is used: scikit-learn, SciPy and PyAV take two seconds.
_LIT_ALARM = 0.01  # of the pixels


def make(config: ConfigDict) -> "PredNetTask":
    """Builds the task from the `model`, `train`, `data` and `eval` groups of a config.

    Raises:
        UserError: sizes that do not fit each other; names the key.
    """
    model, data, train = config.model, config.data, config.train
    _check_times(config)
    stack_sizes = (data.channels, *model.stack_sizes)
    layers = len(stack_sizes)
    network = {
        "R_stack_sizes": tuple(model.R_stack_sizes) or stack_sizes,
        "A_filter_sizes": tuple(model.A_filter_sizes),
        "Ahat_filter_sizes": tuple(model.Ahat_filter_sizes),
        "R_filter_sizes": tuple(model.R_filter_sizes),
    }
    for name, sizes in network.items():
        _check_length(f"model.{name}", sizes, layers - 1 if name == "A_filter_sizes" else layers)
        if min((*sizes, *stack_sizes)) < 1:
            raise UserError(f"model.{name}={sizes}, model.stack_sizes: all must be at least 1")
    predicted = data.num_frames - 1
    time_loss_weights = tuple(train.time_loss_weights) or (0.0,) + (1 / predicted,) * predicted
    _check_length("train.layer_loss_weights", train.layer_loss_weights, layers)
    _check_length("train.time_loss_weights", time_loss_weights, data.num_frames)
    _check_frame_size(data.frame_size, 2 ** (layers - 1))
    for name in ("random_crop", "pseudo_anomaly_probability"):
        if np.any(data[name]):
            raise UserError(f"data.{name}={data[name]} is for task=memae only; set it to 0")
    if config.eval.score not in STATISTICS:
        raise UserError(
            f"eval.score={config.eval.score!r} is unknown; use one of {', '.join(STATISTICS)}"
        )
    modes = ["all", *output_names(layers)]
    if config.eval.output_mode and config.eval.output_mode not in modes:
        raise UserError(
            f"eval.output_mode={config.eval.output_mode!r} is unknown; use one of {', '.join(modes)}"
        )
    return PredNetTask(
        PredNet(stack_sizes=stack_sizes, **network),
        window=(data.num_frames, *data.frame_size, data.channels),
        layer_loss_weights=tuple(train.layer_loss_weights),
        time_loss_weights=time_loss_weights,
        extrap_start_time=train.extrap_start_time,
        eval_num_frames=data.eval_num_frames or data.num_frames,
        eval_overlap=data.eval_overlap,
        eval_extrap_start_time=config.eval.extrap_start_time,
        score=config.eval.score,
        output_mode=config.eval.output_mode,
        resize=data.resize,
        smoothing_sigma=config.eval.smoothing_sigma,
    )


def _check_length(key: str, values: Sequence[float], wanted: int) -> None:
    if len(values) != wanted:
        raise UserError(
            f"{key}={tuple(values)}: {len(values)} values where model.stack_sizes and data.num_frames "
            f"ask for {wanted}"
        )


def _check_times(config: ConfigDict) -> None:
    data = config.data
    tested = data.eval_num_frames or data.num_frames
    for key, frames in (("num_frames", data.num_frames), ("eval_num_frames", tested)):
        if frames < 2:
            raise UserError(f"data.{key}={frames}: the first frame is not predicted, so at least 2")
    if not 0 <= data.eval_overlap < tested:
        raise UserError(
            f"data.eval_overlap={data.eval_overlap} must be at least 0 and less than the {tested} frames of a test "
            "window"
        )
    for group, frames in (("train", data.num_frames), ("eval", tested)):
        start = config[group].extrap_start_time
        if not 0 <= start < frames:
            raise UserError(
                f"{group}.extrap_start_time={start} must be from 1 to {frames - 1}, as a window has {frames} frames, "
                "or 0 for none"
            )


def _check_frame_size(size: tuple[int, int], divisor: int) -> None:
    if all(n % divisor == 0 for n in size):
        return
    below = tuple(max(divisor, n // divisor * divisor) for n in size)
    above = tuple(-(-n // divisor) * divisor for n in size)
    raise UserError(
        f"data.frame_size={tuple(size)}: the layers halve height and width until 1/{divisor}, so they must be "
        f"multiples of {divisor}; the nearest are {below} and {above}"
    )


@dataclasses.dataclass(frozen=True)
class PredNetTask:
    """Loss: the weighted sum over time and layers of the mean of the error units E.

    Where `extrap_start_time` is set, from that frame on the network is fed its own predictions and the loss is half
    the absolute error of its predictions, with the weights of time alone.
    """

    network: PredNet
    window: tuple[int, int, int, int]  # time, height, width, channel
    layer_loss_weights: tuple[float, ...]
    time_loss_weights: tuple[float, ...]
    extrap_start_time: int
    eval_num_frames: int
    eval_overlap: int
    eval_extrap_start_time: int
    score: str
    output_mode: str
    resize: str
    smoothing_sigma: float
    monitor: tuple[str, str] = ("loss", "min")
    predicted: tuple[str, ...] | None = None

    def prepare(self, dataset) -> ModelState:
        """Nothing is fitted on the data."""
        return {}

    def batch_spec(self, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Windows of intensities, uint8."""
        return {"video": jax.ShapeDtypeStruct((batch_size, *self.window), jnp.uint8)}

    def init(self, key: jax.Array, batch: Batch) -> tuple[dict, ModelState]:
        """Initialises the parameters; there is no other state."""
        return self.network.init(key, _to_unit(batch["video"][:, :1]))["params"], {}

    def loss(
        self, params, model_state: ModelState, batch: Batch, key: jax.Array
    ) -> tuple[Array, tuple[ModelState, Metrics]]:
        """The mean over the batch."""
        video = _to_unit(batch["video"])
        given = self._apply(params, video, self.extrap_start_time)
        loss, metrics = self._losses(video, given, jnp.ones(video.shape[0]))
        return jnp.mean(loss), (model_state, metrics)

    def eval_step(
        self, params, model_state: ModelState, batch: Batch
    ) -> tuple[Metrics, dict[str, Array]]:
        """Losses, and for each window what the evaluation needs of it.

        Outputs: `error`, prediction minus frame (time, height, width, channel); where frames are extrapolated, too,
        `extrapolation_mse` and `frozen_mse`, of the last frame that was seen, (time,); what `eval.output_mode` names.
        """
        video = _to_unit(batch["video"])
        extra = () if self.output_mode in ("", "all") else (self.output_mode,)
        given = self._apply(params, video, None, ("prediction", "error", *extra))
        metrics = {}
        if video.shape[1] == self.window[0]:
            scored = given
            if self.extrap_start_time:
                scored = self._apply(params, video, self.extrap_start_time)
            _, metrics = self._losses(video, scored, batch["mask"])
        outputs = {"error": given["prediction"] - video}
        if start := self.eval_extrap_start_time:
            fed_back = self._apply(params, video, start)["prediction"]
            last = video[:, jnp.minimum(jnp.arange(video.shape[1]), start) - 1]
            for name, prediction in (("extrapolation", fed_back), ("frozen", last)):
                outputs[f"{name}_mse"] = jnp.square(prediction - video).mean((2, 3, 4))
        if self.output_mode == "all":
            flat = given["prediction"].reshape(*video.shape[:2], -1)
            outputs["output"] = jnp.concatenate([flat, given["error"]], axis=-1)
        elif self.output_mode:
            outputs["output"] = given[self.output_mode]
        return metrics, outputs

    def evaluate(self, outputs: Iterable[dict[str, np.ndarray]], dataset) -> Report:
        """Quality of the predictions and frame AUC of their errors, beside trivial predictions."""
        from vid_jax.tasks import _frame_prediction

        return _frame_prediction.evaluate(
            outputs,
            dataset,
            "PredNet",
            self.score,
            self.smoothing_sigma,
            self.eval_extrap_start_time,
        )

    def calibrate(self, outputs: Iterable[dict[str, np.ndarray]]) -> dict:
        """Quantiles of the training scores."""
        from vid_jax.tasks import _predicted_video

        return _predicted_video.calibrate(outputs, self.score)

    def inputs(self, source: Path) -> dict[str, Path]:
        """Videos and folders of frames."""
        return list_videos(source)

    def predict(
        self, eval_step, batch_size: int, source: Path, output: Path, calibration: dict
    ) -> None:
        """Scores every frame of a video or a folder of frames; writes output_<mode>.npy, too, if one is set."""
        from vid_jax.tasks import _predicted_video

        _predicted_video.predict(
            eval_step,
            batch_size,
            source,
            output,
            calibration,
            (self.eval_num_frames, *self.window[1:]),
            self.eval_overlap,
            self.resize,
            self.score,
            self.output_mode,
        )

    def browse(self, dataset) -> dict[str, "Figure"]:
        """Contact sheets of windows."""
        from vid_jax.tasks import _frame_anomaly

        return _frame_anomaly.browse(dataset)

    def summaries(self, params, model_state: ModelState, batch: Batch) -> Summaries:
        """Last frame | its prediction | error of up to four windows; the errors of each layer."""
        video = _to_unit(batch["video"])
        given = self._apply(params, video, None, ("prediction", "error"))
        frame, prediction = video[:4, -1], jnp.clip(given["prediction"][:4, -1], 0, 1)
        error = jnp.abs(frame - prediction)
        panels = [frame, prediction, error / jnp.maximum(error.max(), 1e-6)]
        errors = given["error"]
        return {
            "images": {"prediction/frame_prediction_error": jnp.concatenate(panels, axis=2)},
            "histograms": {f"error/layer_{i}": errors[..., i] for i in range(errors.shape[-1])},
        }

    def warnings(self, metrics: dict[str, float]) -> list[str]:
        """Says when the prediction has died: rectified, it cannot come back from black."""
        if metrics["lit"] > _LIT_ALARM:
            return []
        return [
            "prediction: nearly every pixel is black, and no gradient will light it; try another seed or more "
            "channels in the first of model.R_stack_sizes"
        ]

    def _apply(
        self, params, video, extrap_start_time: int | None, outputs=("prediction", "error")
    ) -> dict[str, Array]:
        return self.network.apply({"params": params}, video, outputs, extrap_start_time or None)

    def _losses(self, video, given, mask: Float[Array, " batch"]):
        time = jnp.array(self.time_loss_weights)
        if self.extrap_start_time:
            loss = 0.5 * jnp.abs(given["prediction"] - video).mean((2, 3, 4)) @ time
        else:
            loss = jnp.einsum(
                "btl,t,l->b", given["error"], time, jnp.array(self.layer_loss_weights)
            )
        mse = jnp.square(given["prediction"] - video)[:, 1:].mean((1, 2, 3, 4))
        copy_last = jnp.square(jnp.diff(video, axis=1)).mean((1, 2, 3, 4))
        return loss, {
            "loss": masked(loss, mask),
            "mse": masked(mse, mask),
            "mse_of_copy_last": masked(copy_last, mask),
            "lit": masked((given["prediction"][:, 1:] > 0).mean((1, 2, 3, 4)), mask),
        }


def _to_unit(video: Array) -> Float[Array, "batch time height width channel"]:
    return video.astype(jnp.float32) / 255
