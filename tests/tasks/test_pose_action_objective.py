"""The loss of joint models and its metrics, against NumPy written from the formulas."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy.special import log_softmax, rel_entr, softmax

from vid_jax.models.pose_action import PoseActions
from vid_jax.tasks._pose_action_objective import Objective, Truth, metrics

RNG = np.random.default_rng(1)
LENGTHS = np.array([3, 1, 2])
VALID = np.arange(4) < LENGTHS[:, None]
TRUTH = Truth(
    pose=RNG.normal(size=(3, 4, 6)).astype(np.float32),
    action=np.array([0, 2, 4]),
    valid=VALID,
    mask=np.array([1, 1, 0], np.float32),
)
LOGITS = RNG.normal(size=(3, 5)).astype(np.float32)
FOUND = PoseActions(RNG.normal(size=(3, 4, 6)).astype(np.float32), log_softmax(LOGITS, axis=-1))
REAL = VALID & (TRUTH.mask[:, None] > 0)
NLL = -FOUND.log_probs[[0, 1], [0, 2]].mean()
MSE = np.square(FOUND.pose - TRUTH.pose)[REAL].mean()
ALPHA = Objective("alpha", 0.2, 0.0, 0.25, 2.0)


def test_terms_are_weighed_by_alpha():
    loss = ALPHA.loss(FOUND, TRUTH, None)
    assert float(loss) == pytest.approx(0.2 * NLL + 0.8 * MSE, rel=1e-5)


def test_uncertainty_is_learned():
    """Where the gradient vanishes, the log-variances are those of the terms: ln(2 * NLL) and ln(MSE)."""
    objective = dataclasses.replace(ALPHA, weighting="uncertainty")
    variance = {"action": np.float32(0.3), "pose": np.float32(-0.5)}
    loss, gradient = jax.value_and_grad(lambda v: objective.loss(FOUND, TRUTH, v))(variance)
    wanted = np.exp(-0.3) * NLL + np.exp(0.5) / 2 * MSE + (0.3 - 0.5) / 2
    assert float(loss) == pytest.approx(wanted, rel=1e-5)
    assert all(gradient.values())
    best = {"action": np.float32(np.log(2 * NLL)), "pose": np.float32(np.log(MSE))}
    gradient = jax.grad(lambda v: objective.loss(FOUND, TRUTH, v))(best)
    assert np.abs([*gradient.values()]).max() < 1e-6


def test_temporal_loss_is_of_changes_of_the_error():
    objective = dataclasses.replace(ALPHA, temporal=3.0)
    change = np.diff(FOUND.pose - TRUTH.pose, axis=1)
    wanted = np.square(change[REAL[:, 1:]]).mean()
    added = objective.loss(FOUND, TRUTH, None) - ALPHA.loss(FOUND, TRUTH, None)
    assert float(added) == pytest.approx(3 * wanted, rel=1e-4)


def test_distillation_takes_a_share_of_both_terms():
    other = RNG.normal(size=(3, 5)).astype(np.float32)
    taught = PoseActions(RNG.normal(size=(3, 4, 6)).astype(np.float32), log_softmax(other, axis=-1))
    teacher, student = (softmax(x[:2] / 2.0, axis=-1) for x in (other, LOGITS))
    divergence = 4 * rel_entr(teacher, student).sum(-1).mean()
    distance = np.square(FOUND.pose - taught.pose)[REAL].mean()
    wanted = 0.2 * (0.75 * NLL + 0.25 * divergence) + 0.8 * (0.75 * MSE + 0.25 * distance)
    assert float(ALPHA.loss(FOUND, TRUTH, None, taught)) == pytest.approx(wanted, rel=1e-5)


def test_metrics_are_means_over_frames_and_sequences():
    half_cube = np.full((3, 4), 100.0, np.float32)
    found = metrics(FOUND, TRUTH, np.float32(7), half_cube)
    means = {name: float(total) / float(count) for name, (total, count) in found.items()}
    distance = np.linalg.norm((FOUND.pose - TRUTH.pose).reshape(3, 4, 2, 3), axis=-1)
    rank = (FOUND.log_probs > FOUND.log_probs[range(3), TRUTH.action][:, None]).sum(1)[:2]
    own = [np.square(FOUND.pose - TRUTH.pose)[i][VALID[i]].mean() for i in range(2)]
    nll = -FOUND.log_probs[[0, 1], [0, 2]]
    wanted = {
        "loss": 7,
        "log_loss": NLL,
        "squared_error": MSE,
        "combined": np.mean((100 * np.array(own) + nll) / 2),
        "error_mm": 100 * distance.mean(-1)[REAL].mean(),
        "top1": np.mean(rank < 1),
        "top3": np.mean(rank < 3),
    }
    assert means == pytest.approx(wanted, rel=1e-4)


def test_padding_changes_neither_loss_nor_gradient():
    objective = dataclasses.replace(ALPHA, temporal=1.0)

    def loss(pose):
        return objective.loss(FOUND.replace(pose=pose), TRUTH, None)

    pose = np.where(VALID[..., None], FOUND.pose, 1e3)
    assert float(loss(pose)) == pytest.approx(float(loss(FOUND.pose)))
    gradient = jax.grad(loss)(FOUND.pose)
    assert not np.any(np.asarray(gradient)[~REAL])
    assert np.all(np.asarray(gradient)[REAL])
