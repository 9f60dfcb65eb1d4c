"""A recogniser of actions and its features from a group of a config, for tasks that have one."""

import jax
import numpy as np
from jaxtyping import Array, Float, Int
from ml_collections import ConfigDict

from vid_jax import joint_features
from vid_jax.errors import UserError
from vid_jax.joint_features import FEATURES, POSES, Constants, FeatureSettings
from vid_jax.models.action_recogniser import ActionRecogniser
from vid_jax.models.temporal_attention import ATTENTIONS, INPUT_FORMS

_WHOLE = ("input_rnn", "input_linear")  # as large as the longest sequence


def make_recogniser(
    model: ConfigDict, classes: int, frames: int = 0, group: str = "model"
) -> ActionRecogniser:
    """The network of a group of a config.

    Args:
        frames: of the longest sequence, which some forms of attention need; 0: unknown.
        group: its name, for messages.

    Raises:
        UserError: a value is none, or they do not fit each other; it names the key.
    """
    settings = feature_settings(model, group)
    frames = settings.resample or frames
    _check_recogniser(model, frames, group)
    return ActionRecogniser(
        classes=classes,
        hidden=model.hidden,
        layers=model.layers,
        bidirectional=model.bidirectional,
        attention=model.attention,
        attention_kernel=model.attention_kernel,
        attention_frames=frames,
        unmasked=model.unmasked,
        drop_rate=model.drop_rate,
        members=model.members,
    )


def feature_settings(model: ConfigDict, group: str = "model") -> FeatureSettings:
    """The features of a group of a config.

    Raises:
        UserError: one is unknown, or there are too few for what is asked of them.
    """
    settings = FeatureSettings(tuple(model.features), model.resample, model.pca)
    for name in settings.names:
        if name not in FEATURES:
            raise UserError(
                f"{group}.features={settings.names}: {name!r} is unknown; use {', '.join(FEATURES)}"
            )
    if not {*settings.names} & {*POSES, "wrist_path"}:
        raise UserError(f"{group}.features={settings.names}: name one of {', '.join(POSES)} too")
    if settings.resample < 0 or settings.resample == 1:
        raise UserError(f"{group}.resample={settings.resample}: must be 2 frames or more, or 0")
    most = joint_features.pose_dim(settings) if settings.poses else 0
    if not 0 <= settings.pca <= most:
        raise UserError(
            f"{group}.pca={settings.pca}: must be 1 to {most}, the numbers of a pose, or 0"
        )
    return settings


def frame_by_frame(model: ConfigDict) -> bool:
    """Whether a frame is enough for the next answer: `ActionRecogniser.step`, and features of one frame each."""
    recogniser = make_recogniser(model, classes=2, frames=2)
    return recogniser.steps_frame_by_frame and feature_settings(model).frame_by_frame


def fit(model: ConfigDict, dataset) -> Constants:
    """The constants of the features, from the frames of the training sequences."""
    if hasattr(dataset, "sequence"):
        number = dataset.info.num_examples["train"]
        frames = np.concatenate([dataset.sequence("train", i) for i in range(number)])
    else:
        frames = dataset.fields("train")["joints"]
    return joint_features.fit(frames, feature_settings(model))


def initial_constants(model: ConfigDict) -> Constants:
    """Zeros in the shapes that `fit` gives."""
    return joint_features.initial_constants(feature_settings(model))


def features(
    model: ConfigDict,
    joints: Float[Array, "batch time 21 3"],
    length: Int[Array, " batch"],
    constants: Constants,
) -> Float[Array, "batch frames dim"]:
    """What the recogniser sees of joints in mm, see `joint_features.features`; `steps` of its frames are valid."""
    return joint_features.features(joints, length, feature_settings(model), constants)[0]


def steps(model: ConfigDict, length: Int[Array, " batch"]) -> Int[Array, " batch"]:
    """How many frames the recogniser sees of sequences of `length` frames."""
    return joint_features.steps(length, feature_settings(model))


def smoothed_log_loss(
    log_probs: Float[Array, "*batch classes"], action: Int[Array, "*batch"], smoothing: float
) -> Float[Array, "*batch"]:
    """Cross entropy in nats with a target that gives all classes `smoothing` together, each as much."""
    known = jax.nn.one_hot(action, log_probs.shape[-1])
    target = (1 - smoothing) * known + smoothing / log_probs.shape[-1]
    return -(target * log_probs).sum(-1)


def _check_recogniser(model: ConfigDict, frames: int, group: str) -> None:
    attention = model.attention
    if attention not in ATTENTIONS:
        raise UserError(
            f"{group}.attention={attention!r} is unknown; use one of {', '.join(ATTENTIONS)}"
        )
    if attention in INPUT_FORMS and model.bidirectional:
        raise UserError(
            f"{group}.attention={attention} goes from frame to frame; set {group}.bidirectional=False"
        )
    if attention in _WHOLE and not frames:
        raise UserError(
            f"{group}.attention={attention} spans the longest sequence; set data.max_length or {group}.resample"
        )
    if model.unmasked and (attention == "none" or attention in INPUT_FORMS):
        raise UserError(f"{group}.unmasked=True: {group}.attention={attention} weighs no padding")
    for key, ok, wanted in (
        ("hidden", model.hidden > 0, "at least 1"),
        ("layers", model.layers > 0, "at least 1"),
        ("members", model.members > 0, "at least 1"),
        ("attention_kernel", model.attention_kernel % 2 == 1, "an odd number of frames"),
        ("drop_rate", 0 <= model.drop_rate < 1, "at least 0 and below 1"),
    ):
        if not ok:
            raise UserError(f"{group}.{key}={model[key]!r}: must be {wanted}")
