"""Hand pose from a crop of a depth map: DeepPrior and DeepPrior++, with or without the linear prior."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from vid_jax import losses
from vid_jax.errors import UserError
from vid_jax.input_pipeline.hand_augmentation import (
    Hands,
    centred_at,
    joints_in_mm,
    normalised_depth,
    normalised_joints,
)
from vid_jax.models.pose_network import PoseNetwork
from vid_jax.report import Report
from vid_jax.tasks import _pose_parts
from vid_jax.tasks._hand_crops import CropSettings, draw_hands, hands_of
from vid_jax.tasks.base import Batch, Metrics, ModelState, Summaries, masked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# `_hand_pose_report` and `_hand_pose_files` are imported where they are used: SciPy, OpenCV and PyAV take a second.

LOSSES = ("l2", "huber", "l1")

_RANGE_ALARM = 2.0  # half cubes


def make(config: ConfigDict) -> "HandPoseTask":
    """Builds the task from the `model`, `train` and `data` groups of a config."""
    model, settings = config.model, CropSettings.of(config)
    if config.train.loss not in LOSSES:
        raise UserError(
            f"train.loss={config.train.loss!r} is unknown; use one of {', '.join(LOSSES)}"
        )
    if config.data.validation == "none" and config.eval.checkpoint != "latest":
        raise UserError(
            "data.validation=none: nothing is held out to choose a checkpoint by; set eval.checkpoint=latest, and "
            "train.epochs or train.epochs_of to what another run's validation chose"
        )
    if model.com_refinement and not any(config.init_from.values()):
        raise UserError(
            "model.com_refinement=True needs a trained one: --config.init_from.com_refinement=WORKDIR, a run of "
            "configs/com_refinement_synthetic.py or its like"
        )
    network = _pose_parts.make_pose_network(
        model, settings, len(settings.actions), config.train.batch_norm_momentum
    )
    return HandPoseTask(
        network,
        settings,
        config.train.loss,
        model.prior_samples,
        bool(config.init_from.get("all")),
        tuple(config.predict.items()),
        model.equiprobable if network.conditioned else 1.0,
        _pose_parts.evaluated_action(config.eval.action, network),
    )


@dataclasses.dataclass(frozen=True)
class HandPoseTask:
    """Loss: distance of the prior's coordinates from the true pose's; of poses where the prior is trained or absent."""

    network: PoseNetwork
    settings: CropSettings
    loss_name: str
    prior_samples: int
    prior_from_elsewhere: bool  # with all of another run, and so of other frames
    predict_settings: tuple[tuple[str, object], ...]
    equiprobable: float  # the probability that training tells a conditioned network no action
    eval_action: str  # of `_pose_parts.ACTIONS`, "" where the network is not conditioned
    monitor: tuple[str, str] = ("error_mm", "min")
    predicted: tuple[str, ...] | None = None

    def prepare(self, dataset) -> ModelState:
        """The principal components of the training poses, augmented."""
        if self.network.conditioned:
            _pose_parts.check_actions(dataset, ("train", "validation"), len(self.settings.actions))
        return _pose_parts.prior_constants(*self._prior_of(dataset))

    def batch_spec(self, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
        """Crops in mm, what they were cropped by, and joints in mm."""
        return self.settings.batch_spec(batch_size)

    def init(self, key: jax.Array, batch: Batch) -> tuple[dict, ModelState]:
        """Initialises parameters and BatchNorm statistics for the batch's shape."""
        depth = normalised_depth(hands_of(batch))
        variables = self.network.init(key, depth, train=False, action=self._told(batch))
        if self.network.prior:
            variables["constants"]["fingerprint"] = jnp.zeros(8, jnp.uint32)
        return variables.pop("params"), variables

    def loss(
        self, params, model_state: ModelState, batch: Batch, key: jax.Array
    ) -> tuple[Array, tuple[ModelState, Metrics]]:
        """Mean over the batch of crops augmented by their own draws, with dropout."""
        hands = self.settings.augmented(batch)
        hands = self._refined(params, model_state, hands)
        (coordinates, pose), updated = self.network.apply(
            {"params": params, **model_state},
            normalised_depth(hands),
            train=True,
            action=self._told_in_training(batch, jax.random.fold_in(key, 1)),
            mutable=["batch_stats"],
            rngs={"dropout": key},
        )
        loss, metrics = self._losses(model_state, coordinates, pose, hands, jnp.ones(len(pose)))
        return jnp.mean(loss), ({**model_state, **updated}, metrics)

    def eval_step(
        self, params, model_state: ModelState, batch: Batch
    ) -> tuple[Metrics, dict[str, Array]]:
        """Losses, and for each crop `joints` (j, 3) and `com` (3,) in mm, the centre that was used."""
        coordinates, pose, hands = self._predict(params, model_state, batch)
        _, metrics = self._losses(model_state, coordinates, pose, hands, batch["mask"])
        outputs = {"joints": joints_in_mm(pose, hands), "com": hands.com}
        if self.network.prior:
            fingerprint = model_state["constants"]["fingerprint"]
            outputs["prior_fingerprint"] = jnp.broadcast_to(fingerprint, (len(pose), 8))
        return metrics, outputs

    def evaluate(self, outputs: Iterable[dict[str, np.ndarray]], dataset) -> Report:
        """Errors of the joints on the test split, beside the mean and the nearest training pose."""
        from vid_jax.tasks import _hand_pose_report

        own_prior = self.network.prior and not self.prior_from_elsewhere
        fingerprint = _pose_parts.prior_fingerprint(*self._prior_of(dataset)) if own_prior else None
        center = self.settings.center + ", refined" * bool(self.network.com_refinement)
        if self.network.conditioned:
            center += f"; action: {self.eval_action}"
            _pose_parts.check_actions(dataset, ("test",), len(self.settings.actions))
        return _hand_pose_report.evaluate(outputs, dataset, center, fingerprint)

    def calibrate(self, outputs: Iterable[dict[str, np.ndarray]]) -> dict:
        """Nothing: joints need no scale of their own."""
        return {}

    def inputs(self, source: Path) -> dict[str, Path]:
        """Folders of depth maps, or one."""
        from vid_jax.tasks import _hand_pose_files

        if self.eval_action == "ground_truth":
            raise UserError(
                "eval.action=ground_truth: depth maps alone come without actions; use --config.eval.action=uniform"
            )
        found = _hand_pose_files.inputs(source)
        if len(found) > 1 and dict(self.predict_settings)["com"]:
            raise UserError(
                f"config.predict.com holds the centres of one sequence, and {source} has {len(found)}; name one of them"
            )
        return found

    def predict(
        self, eval_step, batch_size: int, source: Path, output: Path, calibration: dict
    ) -> None:
        """Joints of the hand in every depth map of a folder, in mm and pixels, and as an overlay."""
        from vid_jax.tasks import _hand_pose_files

        _hand_pose_files.predict(
            eval_step,
            batch_size,
            source,
            output,
            self.settings,
            **dict(self.predict_settings),
            refined=self.network.com_refinement is not None,
        )

    def browse(self, dataset) -> dict[str, "Figure"]:
        """Crops, and the same augmented, with their joints."""
        from vid_jax.tasks import _hand_pose_report

        return _hand_pose_report.browse(dataset, self.settings)

    def summaries(self, params, model_state: ModelState, batch: Batch) -> Summaries:
        """Crops with the predicted and the true joints; how far the joints and the prior's coordinates reach."""
        coordinates, pose, hands = self._predict(params, model_state, batch)
        hands, joints = jax.tree.map(lambda x: x[:4], (hands, joints_in_mm(pose, hands)))
        return {
            "images": {
                "crops/prediction_green_truth_red": draw_hands(hands, joints, self.settings)
            },
            "histograms": {"joints": pose, "coordinates": coordinates},
        }

    def warnings(self, metrics: dict[str, float]) -> list[str]:
        """Says when labels reach far out of the cube."""
        if metrics["joint_range"] > _RANGE_ALARM:
            return [
                f"joints reach {metrics['joint_range']:.1f} half cubes from the hand's centre on average: wrong "
                "labels, units or data.cube"
            ]
        return []

    def _prior_of(self, dataset):
        return dataset, self.settings, self.network, self.prior_samples

    def _told(self, batch: Batch) -> Float[Array, "batch classes"] | None:
        """Of the actions at evaluation."""
        if not self.network.conditioned:
            return None
        classes = len(self.settings.actions)
        if self.eval_action == "ground_truth":
            return jax.nn.one_hot(batch["action"], classes)
        return _pose_parts.uniform(len(batch["action"]), classes)

    def _told_in_training(self, batch: Batch, key) -> Float[Array, "batch classes"] | None:
        if not self.network.conditioned:
            return None
        classes = len(self.settings.actions)
        return _pose_parts.conditioning(key, batch["action"], classes, self.equiprobable)

    def _refined(self, params, model_state, hands: Hands) -> Hands:
        if not self.network.com_refinement:
            return hands
        variables = {"params": params, **model_state}
        offset = self.network.apply(variables, normalised_depth(hands), method="refine")
        com = hands.com + jax.lax.stop_gradient(offset) * hands.cube[:, None] / 2
        return centred_at(hands, com, self.settings.camera)

    def _predict(self, params, model_state, batch):
        hands = self._refined(params, model_state, hands_of(batch))
        variables = {"params": params, **model_state}
        depth, action = normalised_depth(hands), self._told(batch)
        return *self.network.apply(variables, depth, train=False, action=action), hands

    def _losses(self, model_state, coordinates, pose, hands: Hands, mask: Float[Array, " batch"]):
        truth = normalised_joints(hands)
        prediction, target, ranges = pose, truth, {"joint_range": truth}
        if self.network.prior:
            prior = model_state["constants"]["prior"]
            true_coordinates = (truth - prior["mean"]) @ prior["components"].T
            ranges |= {"coordinate_range": true_coordinates, "predicted_range": coordinates}
            if not self.network.prior.trainable:
                prediction, target = coordinates, true_coordinates
        loss = getattr(losses, self.loss_name)(prediction, target)
        error = jnp.linalg.norm(joints_in_mm(pose, hands) - hands.joints, axis=-1).mean(-1)
        return loss, {
            "loss": masked(loss, mask),
            "error_mm": masked(error, mask),
            **{name: masked(jnp.abs(x).max(-1), mask) for name, x in ranges.items()},
        }
