"""What tasks with a pose network share: building it from a config group, its prior, what it is told of actions."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from jaxtyping import Array, Float, Int
from ml_collections import ConfigDict

from vid_jax import pose_prior
from vid_jax.errors import UserError
from vid_jax.models.action_mixing import hidden_at_random
from vid_jax.models.com_refinement import ComRefinement
from vid_jax.models.deep_prior import DeepPrior, PosePrior
from vid_jax.models.deep_prior_pp import LAYOUTS, DeepPriorPP
from vid_jax.models.film import PLACEMENTS
from vid_jax.models.pose_network import PoseNetwork
from vid_jax.tasks._hand_crops import ACTION_DATASETS, CropSettings, check_crop_size
from vid_jax.tasks.base import ModelState

NETWORKS = ("deep_prior", "deep_prior_pp")
DTYPES = ("float32", "bfloat16")
ACTIONS = ("uniform", "ground_truth")  # what a conditioned network alone is told at evaluation


def make_pose_network(
    model: ConfigDict,
    settings: CropSettings,
    classes: int,
    batch_norm_momentum: float,
    frozen_norm: bool = False,
    group: str = "model",
) -> PoseNetwork:
    """The pose network of a config group.

    Args:
        model: the group.
        settings: of the crops.
        classes: actions of the data set, 0 where it has none.
        batch_norm_momentum: of the running statistics.
        frozen_norm: see `DeepPriorPP`.
        group: its name, for messages.

    Raises:
        UserError: a value of the group is none, does not fit the others, or takes no crops of that size.
    """
    coordinates = 3 * len(settings.skeleton.joints)
    film = tuple(model.get("film", ()))
    _check_values(model, coordinates, group)
    _check_film(film, model, classes, group)
    outputs = model.prior_components or coordinates
    conditions = {"film": film, "film_identity": model.film_identity} if film else {}
    if model.network == "deep_prior":
        trunk = DeepPrior(outputs, model.drop_rate, **conditions)
    else:
        trunk = DeepPriorPP(
            outputs,
            tuple(model.widths),
            model.blocks,
            model.layout,
            model.drop_rate,
            batch_norm_momentum,
            jnp.dtype(model.dtype),
            frozen_norm=frozen_norm,
            **conditions,
        )
    network = PoseNetwork(
        trunk,
        PosePrior(coordinates, model.prior_trainable) if model.prior_components else None,
        ComRefinement() if model.com_refinement else None,
    )
    action = {"action": jax.ShapeDtypeStruct((1, classes), jnp.float32)} if film else {}
    check_crop_size(network, settings.crop_size, **action)
    return network


def prior_constants(
    dataset, settings: CropSettings, network: PoseNetwork, samples: int
) -> ModelState:
    """The principal components of the training poses, augmented, and the fingerprint of these; {} without a prior."""
    if not network.prior:
        return {}
    fields = dataset.fields("train")
    poses = pose_prior.sample_poses(
        fields, settings.camera, settings.prior_modes, settings.ranges, samples, settings.seed
    )
    logging.info("Joints in half cubes: %.2f to %.2f.", poses.min(), poses.max())
    fitted = pose_prior.fit(poses, network.trunk.outputs)
    z = (poses - fitted["mean"]) @ fitted["components"].T
    logging.info("Coordinates of the prior: %.2f to %.2f.", z.min(), z.max())
    return {
        "prior": fitted,
        "fingerprint": prior_fingerprint(dataset, settings, network, samples),
    }


def prior_fingerprint(
    dataset, settings: CropSettings, network: PoseNetwork, samples: int
) -> np.ndarray:
    """(8,) of what a prior would be fitted on, see `pose_prior.fingerprint`."""
    return pose_prior.fingerprint(
        dataset.fields("train"),
        {
            "modes": settings.prior_modes,
            "ranges": dataclasses.astuple(settings.ranges),
            "samples": samples,
            "components": network.trunk.outputs,
            "seed": settings.seed,
        },
    )


def conditioning(
    key: jax.Array, action: Int[Array, " batch"], classes: int, equiprobable: float
) -> Float[Array, "batch classes"]:
    """What training tells of each example's action: one-hot, or with a probability that all are as likely."""
    return hidden_at_random(key, jax.nn.one_hot(action, classes), equiprobable)


def uniform(batch: int, classes: int) -> Float[Array, "batch classes"]:
    """Every action is as likely."""
    return jnp.full((batch, classes), 1 / classes)


def evaluated_action(action: str, network: PoseNetwork) -> str:
    """What a pose network alone is told at evaluation, of `ACTIONS`; "" where it is not conditioned.

    Raises:
        UserError: `config.eval.action` is something else.
    """
    if not network.conditioned:
        if action:
            raise UserError(
                f"eval.action={action!r}: the network is not conditioned on actions; leave it empty or set model.film"
            )
        return ""
    if action == "predicted":
        raise UserError(
            f"eval.action='predicted': a pose network alone predicts no action; use one of {', '.join(ACTIONS)}, or a "
            "config of a joint model, such as configs/pose_action_synthetic.py"
        )
    if action not in ("", *ACTIONS):
        raise UserError(f"eval.action={action!r} is unknown; use one of {', '.join(ACTIONS)}")
    return action or "uniform"


def check_actions(dataset, splits: Sequence[str], classes: int) -> None:
    """Raises UserError where a frame's action is none of the classes."""
    for split in splits:
        fields = dataset.fields(split)
        wrong = np.flatnonzero((fields["action"] < 0) | (fields["action"] >= classes))
        if len(wrong):
            row = wrong[0]
            raise UserError(
                f"{dataset.info.name}: {fields['sequence'][row]} is of class {fields['action'][row]}, not one of 0 to "
                f"{classes - 1}; mend its label or leave the sequence out"
            )


def _check_values(model: ConfigDict, coordinates: int, group: str) -> None:
    for key, choices in (("network", NETWORKS), ("layout", LAYOUTS), ("dtype", DTYPES)):
        if model[key] not in choices:
            raise UserError(
                f"{group}.{key}={model[key]!r} is unknown; use one of {', '.join(choices)}"
            )
    if not 0 <= model.prior_components <= coordinates:
        raise UserError(
            f"{group}.prior_components={model.prior_components}: must be 1 to {coordinates}, or 0 for no prior"
        )
    fewest = max(1, model.prior_components)
    for key, ok, wanted in (
        ("prior_samples", model.prior_samples >= fewest, f"at least {fewest}"),
        ("widths", min(model.widths, default=0) > 0, "channels, at least 1 each"),
        ("blocks", model.blocks > 0, "at least 1"),
        ("drop_rate", 0 <= model.drop_rate < 1, "at least 0 and below 1"),
    ):
        if not ok:
            raise UserError(f"{group}.{key}={model[key]!r}: must be {wanted}")


def _check_film(film: tuple[str, ...], model: ConfigDict, classes: int, group: str) -> None:
    if not film:
        return
    named = f"{group}.film={film}"
    if unknown := set(film) - set(PLACEMENTS):
        raise UserError(
            f"{named}: {', '.join(sorted(unknown))} is unknown; use some of {', '.join(PLACEMENTS)}"
        )
    if not classes:
        raise UserError(
            f"{named}: config.data.dataset has no actions to condition on; use one of {', '.join(ACTION_DATASETS)}"
        )
    if "residual" in film and model.network == "deep_prior":
        raise UserError(f"{named}: deep_prior has no residual blocks; use deep_prior_pp")
    if "prior" in film and not model.prior_components:
        raise UserError(f"{named}: prior conditions its coordinates; set {group}.prior_components")
    if not 0 <= model.equiprobable <= 1:
        raise UserError(f"{group}.equiprobable={model.equiprobable}: must be a probability, 0 to 1")
