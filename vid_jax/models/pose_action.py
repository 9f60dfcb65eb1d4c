"""Networks of hand pose and of actions put together: in sequence, with feedback, boosted, distilled, or as one.

Conditioned pose networks are told an action by FiLM: Perez et al., "FiLM: Visual Reasoning with a General Conditioning
Layer", AAAI 2018.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float, Int, Key

from vid_jax.models.action_mixing import mixed, moving_average, next_average
from vid_jax.models.packed_sequences import PackedSequences
from vid_jax.models.pose_network import PoseNetwork

# By scheme the parts that it has, under whose names their parameters are.
PARTS = {
    "multi_task": ("pose", "action"),
    "sequential": ("pose", "action"),
    "feedback": ("conditioned_pose", "action"),
    "boosting": ("pose", "conditioned_pose", "action"),
    "distillation": ("pose", "action", "teacher_pose", "teacher_action"),
}
SMOOTHED = ("both", "pose", "action")


@struct.dataclass
class PoseActions:
    """What a joint model finds.

    Attributes:
        pose: in half cubes about the crops' centres; behind a sequence's end without meaning.
        log_probs: of the classes.
        frame_log_probs: having seen the frames up to each, where the recogniser is causal; else None.
        attention: weights of the frames, where the recogniser has them; else None.
        state: where the frames that follow go on from, of `PoseAction.stream`; else None.
    """

    pose: Float[Array, "batch time pose"]
    log_probs: Float[Array, "batch classes"]
    frame_log_probs: Float[Array, "batch time classes"] | None = None
    attention: Float[Array, "batch time"] | None = None
    state: Any = None


# From poses (batch, time, pose), centres (batch, time, 3), cubes (batch, time) and lengths to what a recogniser sees,
# and how long that is.
Features = Callable[
    [Array, Array, Array, Array], tuple[Float[Array, "batch steps dim"], Int[Array, " batch"]]
]
# From what is predicted, and a random key in training, to what a conditioned network is told.
Tell = Callable[
    [Float[Array, "batch classes"], Key[Array, ""] | None], Float[Array, "batch classes"]
]


class PoseAction(nn.Module):
    """Pose networks and a recogniser of actions in one of these schemes.

    multi_task: the action is a linear function of the coordinates of the pose's prior, averaged over the frames.
    sequential: the recogniser sees the poses; a conditioned network is told that all classes are as likely.
    feedback: frame by frame, the pose network is told what the recogniser said of the frames before.
    boosting: a second pose network is told what the recogniser says of the first one's poses, and the recogniser
        answers once more; poses and answers of both passes are mixed.
    distillation: sequential, beside a teacher that is told the true action.

    Attributes:
        scheme: one of `PARTS`.
        classes: number of actions.
        action: the recogniser, an `ActionRecogniser`; of multi_task a `flax.linen.Dense`.
        pose, conditioned_pose, teacher_pose, teacher_action: those that the scheme has.
        eta, zeta: the second pass's shares of poses and of answers.
        mixing: of the answers, see `action_mixing.mixed`.
        smoothing: gamma of the moving average of the poses; 0: none.
        smoothed: where it is used: in "pose", the result, in "action", what the recogniser sees, or in "both".
    """

    scheme: str
    classes: int
    action: nn.Module
    pose: PoseNetwork | None = None
    conditioned_pose: PoseNetwork | None = None
    teacher_pose: PoseNetwork | None = None
    teacher_action: nn.Module | None = None
    eta: float = 0.5
    zeta: float = 0.5
    mixing: str = "log_normalised"
    smoothing: float = 0.0
    smoothed: str = "both"

    def __call__(
        self, sequences: PackedSequences, features: Features, tell: Tell, train: bool
    ) -> PoseActions:
        """Poses and actions of sequences of at least one frame each.

        Args:
            features: what the recogniser sees of poses.
            tell: what conditioned networks are told; its key is of the random stream "action".
            train: with dropout, and with batch statistics in networks whose own are not frozen.
        """
        if self.scheme == "multi_task":
            return self._multi_task(sequences, train)
        if self.scheme == "feedback":
            state = self.initial_state(len(sequences.length))
            return self.stream(sequences, features, tell, state, train)
        first = self._pass(self.pose, self._equal(sequences), sequences, features, train)
        if self.scheme != "boosting":
            return first
        told = sequences.spread(self._told(tell, first.log_probs))
        second = self._pass(self.conditioned_pose, told, sequences, features, train)

        def mix(answer, answer_again):
            return mixed(answer, answer_again, self.zeta, self.mixing)

        causal = first.frame_log_probs is not None
        return second.replace(
            pose=self.eta * second.pose + (1 - self.eta) * first.pose,
            log_probs=mix(first.log_probs, second.log_probs),
            frame_log_probs=mix(first.frame_log_probs, second.frame_log_probs) if causal else None,
        )

    def stream(
        self,
        sequences: PackedSequences,
        features: Features,
        tell: Tell,
        state: dict[str, Any],
        train: bool = False,
    ) -> PoseActions:
        """The same frame by frame, going on from the `state` of the frames before; of sequential and feedback.

        The recogniser must be causal, and the features of a frame must be of no other.
        """
        given = {"com": sequences.com, "cube": sequences.cube}
        if self.scheme == "feedback":
            given["depth"] = sequences.depth
        else:
            given["pose"] = self._poses(self.pose, self._equal(sequences), sequences, train)[1]
        frames = jax.tree.map(sequences.unpacked, given) | {"valid": sequences.valid}
        frames = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), frames)
        one = jnp.ones_like(sequences.length)

        def step(module: PoseAction, state, frame):
            if self.scheme == "feedback":
                told = module._told(tell, state["log_probs"])
                mask = frame["valid"].astype(jnp.float32)
                _, pose = module.conditioned_pose(frame["depth"], train, told, mask)
            else:
                pose = frame["pose"]
            average = next_average(state["pose"], pose, state["started"], self.smoothing)
            result, seen = self._where_smoothed(pose, average)
            x, _ = features(seen[:, None], frame["com"][:, None], frame["cube"][:, None], one)
            recogniser, logits = module.action.step(state["action"], x[:, 0])
            new = {
                "action": recogniser,
                "log_probs": jax.nn.log_softmax(logits),
                "pose": average,
                "started": frame["valid"],
            }
            state = jax.tree.map(
                lambda new, old: jnp.where(
                    frame["valid"].reshape(-1, *(1,) * (new.ndim - 1)), new, old
                ),
                new,
                state,
            )
            return state, (result, state["log_probs"])

        changing = self.is_mutable_collection("batch_stats")
        scan = nn.scan(
            step,
            variable_broadcast=nn.DenyList("batch_stats") if changing else True,
            variable_carry="batch_stats" if changing else False,
            split_rngs={"params": False, "dropout": True, "action": True},
        )
        state, found = scan(self, state, frames)
        pose, frame_log_probs = (jnp.swapaxes(x, 0, 1) for x in found)
        return PoseActions(pose, state["log_probs"], frame_log_probs, state=state)

    def initial_state(self, batch: int) -> dict[str, Any]:
        """Of `stream` before the first frame."""
        network = self.conditioned_pose if self.scheme == "feedback" else self.pose
        outputs = (network.prior or network.trunk).outputs
        return {
            "action": self.action.initial_state(batch),
            "log_probs": jnp.full((batch, self.classes), -jnp.log(self.classes)),
            "pose": jnp.zeros((batch, outputs)),
            "started": jnp.zeros(batch, bool),
        }

    def teach(
        self, sequences: PackedSequences, features: Features, action: Float[Array, "batch classes"]
    ) -> PoseActions:
        """What the teacher, who does not learn, finds when it is told the action."""
        told = sequences.spread(action)
        pose = sequences.unpacked(self._poses(self.teacher_pose, told, sequences, train=False)[1])
        found = self._recognise(self.teacher_action, pose, sequences, features, train=False)
        return jax.lax.stop_gradient(found)

    def build(
        self, sequences: PackedSequences, features: Features, teacher_features: Features
    ) -> None:
        """Calls each part once: all that initialisation needs."""
        told = self._equal(sequences)
        for network in (self.pose, self.conditioned_pose, self.teacher_pose):
            if network:
                coordinates, pose = self._poses(network, told, sequences, train=False)
        if self.scheme == "multi_task":
            self.action(coordinates)
            return
        pose = sequences.unpacked(pose)
        self._recognise(self.action, pose, sequences, features, train=False)
        if self.teacher_action:
            self._recognise(self.teacher_action, pose, sequences, teacher_features, train=False)

    def _multi_task(self, sequences, train):
        coordinates, pose = self._poses(self.pose, self._equal(sequences), sequences, train)
        logits = sequences.unpacked(self.action(coordinates))
        seen = jnp.arange(1, logits.shape[1] + 1)[:, None]
        frame_log_probs = jax.nn.log_softmax(jnp.cumsum(logits, axis=1) / seen)
        last = (sequences.length - 1)[:, None, None]
        log_probs = jnp.take_along_axis(frame_log_probs, last, axis=1)[:, 0]
        pose = sequences.unpacked(pose)
        result, _ = self._where_smoothed(pose, moving_average(pose, self.smoothing))
        return PoseActions(result, log_probs, frame_log_probs)

    def _pass(self, network, told, sequences, features, train):
        pose = sequences.unpacked(self._poses(network, told, sequences, train)[1])
        result, seen = self._where_smoothed(pose, moving_average(pose, self.smoothing))
        found = self._recognise(self.action, seen, sequences, features, train)
        return found.replace(pose=result)

    def _poses(self, network, told, sequences, train):
        return network(sequences.depth, train, told, sequences.mask)

    def _recognise(self, recogniser, pose, sequences, features, train):
        com, cube = sequences.unpacked(sequences.com), sequences.unpacked(sequences.cube)
        seen, length = features(pose, com, cube, sequences.length)
        found = recogniser(seen, length, train)
        return PoseActions(pose, found.log_probs, found.frame_log_probs, found.attention)

    def _told(self, tell, log_probs):
        key = self.make_rng("action") if self.has_rng("action") else None
        return tell(jnp.exp(log_probs), key)

    def _equal(self, sequences):
        return jnp.full((len(sequences.mask), self.classes), 1 / self.classes)

    def _where_smoothed(self, pose, average):
        """The poses that are the result, and those that the recogniser sees."""
        return (
            pose if self.smoothed == "action" else average,
            pose if self.smoothed == "pose" else average,
        )
