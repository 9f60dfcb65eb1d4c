"""Actions of a hand from sequences of its joints: LSTM, with or without attention."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from ml_collections import ConfigDict

from vid_jax import joint_augmentation, joint_features
from vid_jax.errors import UserError
from vid_jax.hand_joints import Skeleton
from vid_jax.input_pipeline.joint_sources import ACTIONS, hands_name, skeleton_of
from vid_jax.input_pipeline.sequence_lengths import padded_length
from vid_jax.joint_augmentation import Ranges
from vid_jax.joint_features import FeatureSettings
from vid_jax.metrics.action import FRACTIONS
from vid_jax.models.action_recogniser import ActionRecogniser, Recognition
from vid_jax.report import Report
from vid_jax.tasks import _action_parts
from vid_jax.tasks.base import Batch, Metrics, ModelState, Summaries, masked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# `_action_report` and `_action_files` are imported where they are used: scikit-learn takes a second.

_PALM_ALARM = (30.0, 300.0)  # mm


def make(config: ConfigDict) -> "HandActionTask":
    """Builds the task from the `model`, `train` and `data` groups of a config."""
    data, model = config.data, config.model
    if data.dataset not in ACTIONS:
        raise UserError(
            f"config.data.dataset={data.dataset!r} has no actions; use one of {', '.join(ACTIONS)}"
        )
    if data.validation == "none" and config.eval.checkpoint != "latest":
        raise UserError(
            "data.validation=none: nothing is held out to choose a checkpoint by; set eval.checkpoint=latest, and "
            "train.epochs or train.epochs_of to what another run's validation chose"
        )
    smoothing = config.train.label_smoothing
    if not 0 <= smoothing < 1:
        raise UserError(f"train.label_smoothing={smoothing}: must be at least 0 and below 1")
    classes = len(ACTIONS[data.dataset])
    return HandActionTask(
        network=_action_parts.make_recogniser(model, classes, data.max_length),
        features=_action_parts.feature_settings(model),
        ranges=Ranges(
            data.rotation_range, data.scale_sigma, data.time_warp, data.crop, data.noise_sigma
        ),
        seed=config.seed,
        label_smoothing=smoothing,
        model=model,
        data=data,
        camera=config.predict.camera,
    )


@dataclasses.dataclass(frozen=True)
class HandActionTask:
    """Loss: cross entropy of the class, of each network by itself where there are several."""

    network: ActionRecogniser
    features: FeatureSettings
    ranges: Ranges
    seed: int
    label_smoothing: float
    model: ConfigDict
    data: ConfigDict
    camera: str
    monitor: tuple[str, str] = ("top1", "max")
    predicted: tuple[str, ...] | None = None

    def prepare(self, dataset) -> ModelState:
        """Mean bone lengths of the training hands, and principal components of their features."""
        return _action_parts.fit(self.model, dataset)

    def batch_spec(self, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Joints in mm of the longest sequences, their lengths and classes, and by what their augmentation is drawn."""
        longest = self.data.max_length or max(self.data.lengths)
        time = padded_length(longest, self.data.lengths)
        shape = (batch_size, time, len(self._skeleton.joints), 3)
        numbers = jax.ShapeDtypeStruct((batch_size,), jnp.int32)
        return {
            "joints": jax.ShapeDtypeStruct(shape, jnp.float32),
            **dict.fromkeys(("length", "action", "index", "epoch"), numbers),
        }

    def init(self, key: jax.Array, batch: Batch) -> tuple[dict, ModelState]:
        """Initialises parameters for the batch's features."""
        constants = _action_parts.initial_constants(self.model)
        x, length = self._features(batch["joints"], batch["length"], constants)
        params = self.network.init(key, x, length)["params"]
        return params, {"constants": jax.tree.map(jnp.asarray, constants)}

    def loss(
        self, params, model_state: ModelState, batch: Batch, key: jax.Array
    ) -> tuple[Array, tuple[ModelState, Metrics]]:
        """Mean over the batch of sequences augmented by their own draws, with dropout and smoothed labels."""
        joints, length = self.augmented(batch)
        x, steps = self._features(joints, length, model_state["constants"])
        found = self.network.apply({"params": params}, x, steps, train=True, rngs={"dropout": key})
        loss = self._loss(found, batch["action"])
        metrics = self._metrics(found, loss, batch, jnp.ones(len(loss)))
        return jnp.mean(loss), (model_state, metrics)

    def eval_step(
        self, params, model_state: ModelState, batch: Batch
    ) -> tuple[Metrics, dict[str, Array]]:
        """Losses, and for each sequence `log_probs` (c,) and what else is found of it.

        That is, where the answer after each frame needs none that follow, `frame_log_probs` (t, c), else
        `fraction_log_probs` (f, c), of the beginnings of `metrics.action.FRACTIONS` by themselves; and with attention
        the weights `attention` (t,) of the frames, of which `steps` are valid.
        """
        joints, length = batch["joints"], batch["length"]
        found, steps = self._recognise(params, model_state, joints, length)
        outputs = {"log_probs": found.log_probs, "steps": steps}
        if found.attention is not None:
            outputs["attention"] = found.attention
        if self._running:
            outputs["frame_log_probs"] = found.frame_log_probs
        else:

            def beginning(fraction):
                seen = jnp.ceil(fraction * length - 1e-3).astype(jnp.int32)
                seen = jnp.maximum(seen, 1)
                return self._recognise(params, model_state, joints, seen)[0].log_probs

            by_fraction = jax.lax.map(beginning, jnp.asarray(FRACTIONS, jnp.float32))
            outputs["fraction_log_probs"] = jnp.swapaxes(by_fraction, 0, 1)
        loss = self._loss(found, batch["action"])
        return self._metrics(found, loss, batch, batch["mask"]), outputs

    def evaluate(self, outputs: Iterable[dict[str, np.ndarray]], dataset) -> Report:
        """Accuracy on the test split, beside that of simpler classifiers."""
        from vid_jax.tasks import _action_report

        return _action_report.evaluate(outputs, dataset)

    def calibrate(self, outputs: Iterable[dict[str, np.ndarray]]) -> dict:
        """Nothing: probabilities need no scale of their own."""
        return {}

    def inputs(self, source: Path) -> dict[str, Path]:
        """Joint files, or one."""
        from vid_jax.tasks import _action_files

        return _action_files.inputs(source)

    def predict(
        self, eval_step, batch_size: int, source: Path, output: Path, calibration: dict
    ) -> None:
        """The action of a file of joints, as a table of probabilities and a figure."""
        from vid_jax.tasks import _action_files

        _action_files.predict(
            eval_step,
            batch_size,
            source,
            output,
            ACTIONS[self.data.dataset],
            self._skeleton,
            self.data.lengths,
            self.data.max_length,
            self.data.cut,
            self.camera,
            hands_name(self.data.dataset),
        )

    def browse(self, dataset) -> dict[str, "Figure"]:
        """Sequences as skeletons, and the same augmented."""
        from vid_jax.tasks import _action_report

        def augment(batch):
            joints, length = jax.jit(self.augmented)(batch)
            return np.asarray(joints), np.asarray(length)

        return _action_report.browse(dataset, augment if self.ranges.any else None)

    def summaries(self, params, model_state: ModelState, batch: Batch) -> Summaries:
        """How far the features reach, and how sure the network is."""
        x, steps = self._features(batch["joints"], batch["length"], model_state["constants"])
        found = self.network.apply({"params": params}, x, steps)
        histograms = {"features": x, "probabilities": jnp.exp(found.log_probs)}
        return {"images": {}, "histograms": histograms}

    def warnings(self, metrics: dict[str, float]) -> list[str]:
        """Says when hands are too large or too small to be in mm."""
        if _PALM_ALARM[0] < metrics["palm_mm"] < _PALM_ALARM[1]:
            return []
        return [
            f"from the wrist to the middle finger's MCP it is {metrics['palm_mm']:.3g} mm on average: wrong units, or "
            "wrong joints"
        ]

    def augmented(
        self, batch: Batch
    ) -> tuple[Float[Array, "batch time 21 3"], Int[Array, " batch"]]:
        """The joints of a training batch in mm and their lengths after each sequence's own draw."""
        joints, length = batch["joints"], batch["length"]
        if not self.ranges.any:
            return joints, length
        draws = joint_augmentation.draw_batch(
            self.seed, batch["index"], batch["epoch"], self.ranges
        )
        return joint_augmentation.augmented(joints, length, draws, self.ranges)

    @property
    def _skeleton(self) -> Skeleton:
        return skeleton_of(self.data.dataset)

    @property
    def _running(self) -> bool:
        """Whether one pass over a sequence answers after each frame, as if no other followed."""
        known_late = self.features.resample or "log_length" in self.features.names
        return self.network.causal and not known_late and not self.network.unmasked

    def _features(self, joints, length, constants):
        return joint_features.features(joints, length, self.features, constants)

    def _recognise(self, params, model_state, joints, length) -> tuple[Recognition, Array]:
        x, steps = self._features(joints, length, model_state["constants"])
        return self.network.apply({"params": params}, x, steps), steps

    def _loss(self, found: Recognition, action) -> Float[Array, " batch"]:
        """The members' mean."""
        loss = _action_parts.smoothed_log_loss
        return loss(found.member_log_probs, action[None], self.label_smoothing).mean(0)

    def _metrics(self, found: Recognition, loss, batch: Batch, mask) -> Metrics:
        palm = jnp.linalg.norm(batch["joints"][:, 0, 3] - batch["joints"][:, 0, 0], axis=-1)
        _, likeliest = jax.lax.top_k(found.log_probs, 3)
        right = (likeliest == batch["action"][:, None]).astype(jnp.float32)
        return {
            "loss": masked(loss, mask),
            "top1": masked(right[:, 0], mask),
            "top3": masked(right.sum(1), mask),
            "palm_mm": masked(palm, mask),
        }
