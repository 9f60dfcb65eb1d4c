"""The loss of joint models: poses and actions weighed against each other, and what is logged of both."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from vid_jax.models.pose_action import PoseActions
from vid_jax.tasks.base import Metrics, masked

WEIGHTINGS = ("alpha", "uncertainty")


@dataclasses.dataclass(frozen=True)
class Truth:
    """What is to be found: poses as in `PoseActions`, classes, and which frames and sequences there are."""

    pose: Float[Array, "batch time pose"]
    action: Int[Array, " batch"]
    valid: Bool[Array, "batch time"]
    mask: Float[Array, " batch"]

    @property
    def frames(self) -> Float[Array, "batch time"]:
        """1 for each real frame."""
        return self.valid * self.mask[:, None]


@dataclasses.dataclass(frozen=True)
class Objective:
    """alpha * (negative log-likelihood of the action) + (1 - alpha) * (mean squared error of the pose), and more.

    Attributes:
        weighting: "alpha", or "uncertainty": by learned log-variances (Kendall, Gal and Cipolla, "Multi-Task Learning
            Using Uncertainty to Weigh Losses", CVPR 2018, equation 10).
        alpha: see above.
        temporal: weight of the mean squared change of the pose's error from frame to frame.
        distillation: share of the distance to a teacher in both terms, where there is one.
        temperature: by which log-probabilities of teacher and student are divided (Hinton, Vinyals and Dean,
            "Distilling the Knowledge in a Neural Network", 2015).
    """

    weighting: str
    alpha: float
    temporal: float
    distillation: float
    temperature: float

    def loss(
        self,
        found: PoseActions,
        truth: Truth,
        log_variance: dict[str, Float[Array, ""]] | None,
        taught: PoseActions | None = None,
    ) -> Float[Array, ""]:
        """Means over the sequences and over all their frames.

        Args:
            log_variance: "pose" and "action", of uncertainty weighting.
            taught: what the teacher finds.
        """
        action = _mean(log_loss(found, truth), truth.mask)
        pose = _mean(_squared(found.pose - truth.pose), truth.frames)
        if taught:
            share = self.distillation
            divergence = self._divergence(taught.log_probs, found.log_probs)
            distance = _squared(found.pose - taught.pose)
            action = (1 - share) * action + share * _mean(divergence, truth.mask)
            pose = (1 - share) * pose + share * _mean(distance, truth.frames)
        if self.weighting == "uncertainty":
            variance = log_variance
            loss = jnp.exp(-variance["action"]) * action + jnp.exp(-variance["pose"]) / 2 * pose
            loss += (variance["action"] + variance["pose"]) / 2
        else:
            loss = self.alpha * action + (1 - self.alpha) * pose
        if self.temporal:
            change = jnp.diff(found.pose - truth.pose, axis=1)
            loss += self.temporal * _mean(_squared(change), truth.frames[:, 1:])
        return loss

    def _divergence(self, teacher, student) -> Float[Array, " batch"]:
        """Kullback-Leibler, times the temperature's square so that gradients are of the same size at any."""
        teacher, student = (jax.nn.log_softmax(x / self.temperature) for x in (teacher, student))
        return self.temperature**2 * (jnp.exp(teacher) * (teacher - student)).sum(-1)


def log_loss(found: PoseActions, truth: Truth) -> Float[Array, " batch"]:
    """Negative log-likelihood of each sequence's action."""
    return -jnp.take_along_axis(found.log_probs, truth.action[:, None], axis=1)[:, 0]


def metrics(
    found: PoseActions,
    truth: Truth,
    loss: Float[Array, ""],
    half_cube: Float[Array, "batch time"],
) -> Metrics:
    """Loss and its two terms, the joints' error in mm, and accuracy.

    `combined` is half of log loss and 100 times the squared error, of each sequence; `half_cube` is the unit of the
    poses in mm.
    """
    nll, squared = log_loss(found, truth), _squared(found.pose - truth.pose)
    own = jnp.sum(squared * truth.frames, 1) / jnp.maximum(jnp.sum(truth.frames, 1), 1)
    difference = (found.pose - truth.pose).reshape(*found.pose.shape[:-1], -1, 3)
    error = jnp.linalg.norm(difference, axis=-1).mean(-1) * half_cube
    _, best = jax.lax.top_k(found.log_probs, min(3, found.log_probs.shape[1]))
    right = best == truth.action[:, None]
    examples = jnp.sum(truth.mask)
    return {
        "loss": (loss * examples, examples),
        "log_loss": masked(nll, truth.mask),
        "squared_error": masked(squared, truth.frames),
        "combined": masked((nll + 100 * own) / 2, truth.mask),
        "error_mm": masked(error, truth.frames),
        "top1": masked(right[:, 0], truth.mask),
        "top3": masked(right.any(1), truth.mask),
    }


def _squared(difference: Float[Array, "batch time pose"]) -> Float[Array, "batch time"]:
    return jnp.square(difference).mean(-1)


def _mean(values: Array, weights: Array) -> Float[Array, ""]:
    return jnp.sum(values * weights) / jnp.maximum(jnp.sum(weights), 1)
