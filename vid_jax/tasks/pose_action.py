"""Hand pose and action from sequences of crops of depth maps, by networks that are trained together."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from vid_jax.input_pipeline.hand_augmentation import normalised_depth, normalised_joints
from vid_jax.input_pipeline.sequence_lengths import padded_length
from vid_jax.models.action_mixing import hidden_at_random
from vid_jax.models.packed_sequences import PackedSequences
from vid_jax.models.pose_action import PARTS, Features, PoseAction, PoseActions, Tell
from vid_jax.report import Report
from vid_jax.tasks import _action_parts, _pose_parts
from vid_jax.tasks._hand_crops import CropSettings, draw_hands, hands_of
from vid_jax.tasks._pose_action_objective import Objective, Truth, metrics
from vid_jax.tasks._pose_action_parts import GROUPS, make_network, told_action
from vid_jax.tasks.base import Batch, Metrics, ModelState, Summaries

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# `_pose_action_report` and `_pose_action_files` are imported where they are used: SciPy, OpenCV and PyAV take a second.


def make(config: ConfigDict) -> "PoseActionTask":
    """Builds the task from the groups of a config."""
    settings, train, model = CropSettings.of(config), config.train, config.model
    network = make_network(config, settings)
    conditioned = "conditioned_pose" in PARTS[model.scheme]
    return PoseActionTask(
        network=network,
        settings=settings,
        groups={part: model[GROUPS[part]] for part in PARTS[model.scheme]},
        objective=Objective(
            train.weighting,
            train.alpha,
            train.temporal_loss,
            train.distillation,
            train.temperature,
        ),
        told=told_action(config, network),
        equiprobable=model.conditioned_pose.equiprobable if conditioned else 1.0,
        longest=config.data.max_length or max(config.data.lengths),
        packing=config.data.packing,
        lengths=tuple(config.data.lengths),
        predict_settings=tuple(config.predict.items()),
    )


@dataclasses.dataclass(frozen=True)
class PoseActionTask:
    """Loss: log loss of the action and squared error of the poses, see `Objective`."""

    network: PoseAction
    settings: CropSettings
    groups: dict[str, ConfigDict]  # of `config.model`, by part
    objective: Objective
    told: str  # "" where no network is conditioned
    equiprobable: float
    longest: int  # frames
    packing: int
    lengths: tuple[int, ...]
    predict_settings: tuple[tuple[str, object], ...]
    monitor: tuple[str, str] = ("combined", "min")
    predicted: tuple[str, ...] | None = None

    def prepare(self, dataset) -> ModelState:
        """The priors of the pose networks and the constants of the recogniser's features."""
        constants, fitted = {}, {}
        for part, group in self.groups.items():
            if part.endswith("pose"):
                if not group.prior_components:
                    continue
                network, samples = getattr(self.network, part), group.prior_samples
                key = (group.prior_components, samples)
                if key not in fitted:
                    fitted[key] = _pose_parts.prior_constants(
                        dataset, self.settings, network, samples
                    )
                constants[part] = fitted[key]
            elif self._recognises:
                constants[part] = _action_parts.fit(group, dataset)
        return constants

    def batch_spec(self, batch_size: int) -> dict:
        """Frames packed one after another, where those of each sequence are, and its length and action."""
        frames = -(-batch_size * self.longest // self.packing) * self.packing
        numbers = jax.ShapeDtypeStruct((batch_size,), jnp.int32)
        time = padded_length(self.longest, self.lengths)
        return {
            "frames": self.settings.batch_spec(frames)
            | {"mask": jax.ShapeDtypeStruct((frames,), jnp.float32)},
            "positions": jax.ShapeDtypeStruct((batch_size, time), jnp.int32),
            **dict.fromkeys(("length", "action", "index", "epoch"), numbers),
        }

    def init(self, key: jax.Array, batch: Batch) -> tuple[dict, ModelState]:
        """Initialises the parts for the batch's shape."""
        constants = {
            part: _action_parts.initial_constants(group)
            for part, group in self.groups.items()
            if part.endswith("action") and self._recognises
        }
        features = [self._features(constants, part) for part in ("action", "teacher_action")]
        variables = self.network.init(key, _sequences(batch), *features, method="build")
        for part, known in variables.get("constants", {}).items():
            constants[part] = {**known, "fingerprint": jnp.zeros(8, jnp.uint32)}
        params = variables.pop("params")
        if self.objective.weighting == "uncertainty":
            params["log_variance"] = {name: jnp.zeros(()) for name in ("action", "pose")}
        return params, {**variables, "constants": constants}

    def loss(
        self, params, model_state: ModelState, batch: Batch, key: jax.Array
    ) -> tuple[Array, tuple[ModelState, Metrics]]:
        """Of whole sequences, every frame of which counts the same."""
        sequences = _sequences(batch)
        variables = {"params": params, **model_state}
        dropout, action = jax.random.split(key)

        def tell(predicted, key):
            return hidden_at_random(key, predicted, self.equiprobable)

        found, updated = self.network.apply(
            variables,
            sequences,
            self._features(model_state["constants"]),
            tell,
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": dropout, "action": action},
        )
        taught = None
        if self.network.teacher_pose:
            features = self._features(model_state["constants"], "teacher_action")
            known = jax.nn.one_hot(batch["action"], self.network.classes)
            taught = self.network.apply(variables, sequences, features, known, method="teach")
        truth = _truth(batch, sequences, jnp.ones(len(batch["action"])))
        loss = self.objective.loss(found, truth, params.get("log_variance"), taught)
        half_cube = sequences.unpacked(sequences.cube) / 2
        return loss, ({**model_state, **updated}, metrics(found, truth, loss, half_cube))

    def eval_step(
        self, params, model_state: ModelState, batch: Batch
    ) -> tuple[Metrics, dict[str, Array]]:
        """Losses, and for each sequence `joints` (t, j, 3) mm, `log_probs` (c,), and what else is found of it.

        That is `frame_log_probs` (t, c) having seen the frames up to each, and the weights `attention` (t,) of the
        frames, of which `steps` are valid, where the recogniser has them. Where the batch has a `state`, the frames go
        on from it, and it is in the outputs as they leave it.
        """
        sequences = _sequences(batch)
        found = self._find(params, model_state, batch, sequences)
        truth = _truth(batch, sequences, batch["mask"])
        loss = self.objective.loss(found, truth, params.get("log_variance"))
        half_cube = sequences.unpacked(sequences.cube) / 2
        outputs = {
            "joints": _joints(found, sequences),
            "log_probs": found.log_probs,
            "frame_log_probs": found.frame_log_probs if self._running else None,
            "attention": found.attention,
            "steps": self._steps(sequences.length) if found.attention is not None else None,
            "state": found.state if "state" in batch else None,
        }
        outputs = {name: output for name, output in outputs.items() if output is not None}
        return metrics(found, truth, loss, half_cube), outputs

    def evaluate(self, outputs: Iterable[dict[str, np.ndarray]], dataset) -> Report:
        """Errors of the joints and accuracy of the actions on the test split."""
        from vid_jax.tasks import _pose_action_report

        return _pose_action_report.evaluate(outputs, dataset, self.network.scheme, self.told)

    def calibrate(self, outputs: Iterable[dict[str, np.ndarray]]) -> dict:
        """Nothing: joints and probabilities need no scale of their own."""
        return {}

    def inputs(self, source: Path) -> dict[str, Path]:
        """Folders of depth maps, or one."""
        from vid_jax.tasks import _pose_action_files

        return _pose_action_files.inputs(source)

    def predict(
        self, eval_step, batch_size: int, source: Path, output: Path, calibration: dict
    ) -> None:
        """Joints and actions of the hand in every depth map of a folder, frame by frame where the model can."""
        from vid_jax.tasks import _pose_action_files

        _pose_action_files.predict(
            eval_step,
            batch_size,
            source,
            output,
            self.settings,
            self.settings.actions,
            initial_state=self._initial_state(batch_size),
            lengths=self.lengths,
            **dict(self.predict_settings),
        )

    def browse(self, dataset) -> dict[str, "Figure"]:
        """First and last crops of a few sequences, with their joints."""
        from vid_jax.tasks import _pose_action_report

        return _pose_action_report.browse(dataset, self.settings)

    def summaries(self, params, model_state: ModelState, batch: Batch) -> Summaries:
        """Crops of the first sequence with the predicted and the true joints; how sure the recogniser is."""
        sequences = _sequences(batch)
        found = self._find(params, model_state, batch, sequences)
        rows = sequences.positions[0, :4]
        hands = jax.tree.map(lambda x: x[rows], hands_of(batch["frames"]))
        images = draw_hands(hands, _joints(found, sequences)[0, : len(rows)], self.settings)
        return {
            "images": {"crops/prediction_green_truth_red": images},
            "histograms": {"joints": found.pose, "probabilities": jnp.exp(found.log_probs)},
        }

    def warnings(self, metrics: dict[str, float]) -> list[str]:
        """None."""
        return []

    @property
    def _recognises(self) -> bool:
        return self.network.scheme != "multi_task"

    @property
    def _running(self) -> bool:
        """Whether what is found up to a frame is as if no other followed."""
        if not self._recognises:
            return True
        if self.network.scheme == "boosting" and self.told == "predicted":
            return False  # the second pass is told what was found of the whole
        features, recogniser = self.groups["action"].features, self.network.action
        known_late = "log_length" in features or self.groups["action"].resample
        return recogniser.causal and not recogniser.unmasked and not known_late

    def _steps(self, length):
        return _action_parts.steps(self.groups["action"], length)

    def _features(self, constants: dict, part: str = "action") -> Features | None:
        """What the part sees of poses: features of the joints in mm."""
        if part not in self.groups or not self._recognises:
            return None

        def features(pose, com, cube, length):
            group, joints = self.groups[part], _in_mm(pose, com, cube)
            seen = _action_parts.features(group, joints, length, constants[part])
            return seen, _action_parts.steps(group, length)

        return features

    def _find(self, params, model_state, batch, sequences: PackedSequences) -> PoseActions:
        variables = {"params": params, **model_state}
        inputs = sequences, self._features(model_state["constants"]), self._tell(batch)
        if "state" in batch:
            return self.network.apply(variables, *inputs, batch["state"], method="stream")
        return self.network.apply(variables, *inputs, train=False)

    def _tell(self, batch: Batch) -> Tell:
        """What conditioned networks are told at evaluation; where the truth is unknown, what is predicted."""

        def tell(predicted: Float[Array, "batch classes"], key: None):
            if self.told == "uniform":
                return jnp.full_like(predicted, 1 / self.network.classes)
            if self.told == "ground_truth":
                known = jax.nn.one_hot(batch["action"], self.network.classes)
                return jnp.where(batch["action"][:, None] < 0, predicted, known)
            return predicted

        return tell

    def _initial_state(self, batch_size: int) -> dict | None:
        """Of a recogniser and a scheme that go frame by frame."""
        if self.network.scheme not in ("sequential", "feedback", "distillation"):
            return None
        if not _action_parts.frame_by_frame(self.groups["action"]):
            return None
        state = self.network.apply({}, batch_size, method="initial_state")
        return jax.tree.map(np.asarray, state)


def _sequences(batch: Batch) -> PackedSequences:
    frames = batch["frames"]
    return PackedSequences(
        depth=normalised_depth(hands_of(frames)),
        mask=frames["mask"],
        com=frames["com"],
        cube=frames["cube"],
        positions=batch["positions"],
        length=batch["length"],
    )


def _truth(batch: Batch, sequences: PackedSequences, mask: Float[Array, " batch"]) -> Truth:
    pose = sequences.unpacked(normalised_joints(hands_of(batch["frames"])))
    return Truth(pose, batch["action"], sequences.valid, mask)


def _joints(found: PoseActions, sequences: PackedSequences) -> Float[Array, "batch time joints 3"]:
    com, cube = sequences.unpacked(sequences.com), sequences.unpacked(sequences.cube)
    return _in_mm(found.pose, com, cube)


def _in_mm(
    pose: Float[Array, "*batch pose"], com: Float[Array, "*batch 3"], cube: Float[Array, "*batch"]
) -> Float[Array, "*batch joints 3"]:
    joints = pose.reshape(*pose.shape[:-1], -1, 3)
    return joints * cube[..., None, None] / 2 + com[..., None, :]
