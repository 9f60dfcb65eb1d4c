"""The parts of a joint model: built from the groups of `config.model`, started from workdirs of the right kind."""

import re
from pathlib import Path

import jax
from flax import linen as nn
from ml_collections import ConfigDict

from vid_jax import optimizers
from vid_jax.errors import UserError
from vid_jax.models.action_mixing import MIXINGS
from vid_jax.models.pose_action import PARTS, SMOOTHED, PoseAction
from vid_jax.tasks import _action_parts
from vid_jax.tasks._hand_crops import ACTION_DATASETS, CropSettings
from vid_jax.tasks._pose_action_objective import WEIGHTINGS
from vid_jax.tasks._pose_parts import make_pose_network
from vid_jax.workdir import load_config

BATCH_NORMS = ("frozen", "batch")
TOLD = ("predicted", "uniform", "ground_truth")

# The group of `config.model` that each part is built from, and the task whose workdirs it starts from.
GROUPS = {
    "pose": "pose",
    "conditioned_pose": "conditioned_pose",
    "teacher_pose": "conditioned_pose",
    "action": "action",
    "teacher_action": "action",
}
_TASKS = {"pose": "hand_pose", "conditioned_pose": "hand_pose", "action": "hand_action"}

# Keys that change nothing of what a trained part computes.
_FREE = ("drop_rate", "dtype", "equiprobable", "film_identity", "prior_samples")
_CROPS = ("crop", "crop_size", "cube")  # of config.data, that a pose network depends on


def make_network(config: ConfigDict, settings: CropSettings) -> PoseAction:
    """The joint model of a config.

    Raises:
        UserError: a value is none, or they do not fit each other; it names the key.
    """
    model, classes = config.model, len(settings.actions)
    if model.scheme not in PARTS:
        raise UserError(f"model.scheme={model.scheme!r} is unknown; use one of {', '.join(PARTS)}")
    if not classes:
        raise UserError(
            f"config.data.dataset={config.data.dataset!r} has no actions; use one of {', '.join(ACTION_DATASETS)}"
        )
    _check_values(config)
    parts = {part: _make_part(part, config, settings) for part in PARTS[model.scheme]}
    _check_trainable(config)
    _check_sources(config)
    return PoseAction(
        scheme=model.scheme,
        classes=classes,
        eta=model.eta,
        zeta=model.zeta,
        mixing=model.mixing,
        smoothing=model.smoothing,
        smoothed=model.smoothed,
        **parts,
    )


def told_action(config: ConfigDict, network: PoseAction) -> str:
    """What conditioned networks are told at evaluation, "" where there is none; `uniform` where nothing is predicted.

    Raises:
        UserError: there is no such choice, or the scheme tells no network a true action.
    """
    action, scheme = config.eval.action, config.model.scheme
    if action and action not in TOLD:
        raise UserError(f"eval.action={action!r} is unknown; use one of {', '.join(TOLD)}")
    if "conditioned_pose" in PARTS[scheme]:
        return action or "predicted"
    if action not in ("", "uniform"):
        raise UserError(
            f"eval.action={action}: model.scheme={scheme} tells no network an action; leave it empty"
        )
    return "uniform" if network.pose.conditioned else ""


def _make_part(part: str, config: ConfigDict, settings: CropSettings) -> nn.Module:
    classes, group = len(settings.actions), f"model.{GROUPS[part]}"
    model = config.model[GROUPS[part]]
    if not part.endswith("pose"):
        if config.model.scheme == "multi_task":
            return nn.Dense(classes)
        recogniser = _action_parts.make_recogniser(model, classes, config.data.max_length, group)
        if config.model.scheme == "feedback" and not _action_parts.frame_by_frame(model):
            raise UserError(
                f"model.scheme=feedback goes frame by frame: {group} must be of one direction and of features of a "
                "frame alone; see docs/hand_action.md"
            )
        return recogniser
    if model.com_refinement:
        raise UserError(f"{group}.com_refinement=True: joint models take the crops as they are")
    if config.model.scheme == "multi_task" and not model.prior_components:
        raise UserError(
            f"{group}.prior_components=0: model.scheme=multi_task finds the action from the prior's coordinates"
        )
    frozen = config.train.batch_norm == "frozen"
    momentum = config.train.batch_norm_momentum
    network = make_pose_network(model, settings, classes, momentum, frozen, group)
    if GROUPS[part] == "conditioned_pose" and not network.conditioned:
        raise UserError(
            f"{group}.film is empty: model.scheme={config.model.scheme} needs a network that can be told an action"
        )
    return network


def _check_values(config: ConfigDict) -> None:
    model, train = config.model, config.train
    for key, value, choices in (
        ("model.mixing", model.mixing, MIXINGS),
        ("model.smoothed", model.smoothed, SMOOTHED),
        ("train.batch_norm", train.batch_norm, BATCH_NORMS),
        ("train.weighting", train.weighting, WEIGHTINGS),
    ):
        if value not in choices:
            raise UserError(f"{key}={value!r} is unknown; use one of {', '.join(choices)}")
    for key, value, ok, wanted in (
        ("model.eta", model.eta, 0 <= model.eta <= 1, "a share, 0 to 1"),
        ("model.zeta", model.zeta, 0 <= model.zeta <= 1, "a share, 0 to 1"),
        ("model.smoothing", model.smoothing, 0 <= model.smoothing < 1, "at least 0 and below 1"),
        ("train.alpha", train.alpha, 0 <= train.alpha <= 1, "a share, 0 to 1"),
        ("train.temporal_loss", train.temporal_loss, train.temporal_loss >= 0, "at least 0"),
        ("train.distillation", train.distillation, 0 <= train.distillation <= 1, "a share, 0 to 1"),
        ("train.temperature", train.temperature, train.temperature > 0, "above 0"),
        (
            "train.microbatch",
            train.microbatch,
            not train.microbatch,
            "0: frames are packed; lower train.batch_size",
        ),
    ):
        if not ok:
            raise UserError(f"{key}={value}: must be {wanted}")
    batch_size = train.batch_per_device * jax.device_count() or train.batch_size
    devices = max(n for n in range(1, jax.device_count() + 1) if batch_size % n == 0)
    if config.data.packing % devices:
        raise UserError(
            f"data.packing={config.data.packing}: must be a multiple of the {devices} devices that are used"
        )
    if set(config.data.augmentation) != {"none"}:
        raise UserError(
            f"data.augmentation={tuple(config.data.augmentation)}: must be ('none',): each crop of a sequence would be "
            "changed by a draw of its own"
        )
    if config.data.validation == "none" and config.eval.checkpoint != "latest":
        raise UserError(
            "data.validation=none: nothing is held out to choose a checkpoint by; set eval.checkpoint=latest"
        )


def _check_trainable(config: ConfigDict) -> None:
    """Where all that there is trains, a teacher would; where some does, log-variances may be left out."""
    patterns = tuple(config.optimizer.trainable)
    if config.model.scheme == "distillation" and not optimizers.freezes(config.optimizer):
        raise UserError(
            f"optimizer.trainable={patterns}: model.scheme=distillation wants a teacher that stays as it is; list "
            "'pose/.*' and 'action/.*'"
        )
    if config.train.weighting == "uncertainty":
        optimizers.create_optimizer(config.optimizer)  # whose patterns are regular expressions
        for name in ("log_variance/action", "log_variance/pose"):
            if not any(re.fullmatch(pattern, name) for pattern in patterns):
                raise UserError(
                    f"optimizer.trainable={patterns}: train.weighting=uncertainty learns its weights; add "
                    "'log_variance/.*'"
                )


def _check_sources(config: ConfigDict) -> None:
    """Compares the parts with the workdirs that they start from, as far as names and shapes do not show it."""
    sources = {part: Path(w).expanduser() for part, w in config.init_from.items() if w}
    scheme = config.model.scheme
    for part, workdir in sources.items():
        named = f"init_from.{part}={workdir}"
        if part == "all":
            continue
        if part.split("/")[0] not in PARTS[scheme]:
            raise UserError(f"{named}: model.scheme={scheme} has no such part, but {PARTS[scheme]}")
        if part in GROUPS and (workdir / "config.json").exists():
            _compare(named, config, load_config(workdir), GROUPS[part])
    if scheme == "distillation" and "all" not in sources:
        for part in ("teacher_pose", "teacher_action"):
            if part not in sources:
                raise UserError(
                    f"init_from.{part} is empty: model.scheme=distillation needs a trained teacher"
                )


def _compare(named: str, here: ConfigDict, there: ConfigDict, group: str) -> None:
    if there.task != _TASKS[group]:
        raise UserError(f"{named} is a run of {there.task}; use one of {_TASKS[group]}")
    if here.model.scheme == "multi_task" and group == "action":
        raise UserError(f"{named}: model.scheme=multi_task has no recogniser to start from it")
    model = here.model[group]
    for key in model:
        if key in there.model and key not in _FREE and model[key] != there.model[key]:
            raise UserError(
                f"{named} has model.{key}={there.model[key]!r}; set model.{group}.{key}, here {model[key]!r}, to it"
            )
    for key in _CROPS if group != "action" else ():
        if here.data[key] != there.data[key]:
            raise UserError(
                f"{named} was trained with data.{key}={there.data[key]!r}; set it here, where it is {here.data[key]!r}"
            )
