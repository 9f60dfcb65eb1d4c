"""Hand pose and action together, on generated gestures: pose networks and a recogniser, trained as one. No download.

Sequential, with the action fed back, and boosted by a second pose network that is told the action by FiLM (Perez et
al., "FiLM: Visual Reasoning with a General Conditioning Layer", AAAI 2018). Parts are trained alone first, the
conditioned pose network without being told any action:

    python main.py --config=configs/deepprior_film_synthetic.py:cpu --config.model.prior_trainable=True \\
        --config.model.film="()" --workdir=runs/pose
    python main.py --config=configs/deepprior_film_synthetic.py:cpu --config.model.prior_trainable=True \\
        --workdir=runs/conditioned_pose
    python main.py --config=configs/har_lstm_synthetic.py --workdir=runs/action
    python main.py --config=configs/pose_action_synthetic.py --config.init_from.pose=runs/pose \\
        --config.init_from.conditioned_pose=runs/conditioned_pose --config.init_from.action=runs/action \\
        --workdir=runs/boosting

Variants, as in `--config=configs/pose_action_synthetic.py:feedback` (`python -m benchmarks.pose_action_table`: all):
    (none), boosting  a second pose network is told what the recogniser says of the first one's poses; both are mixed.
    two_pass          the same without any training: poses and answers are averaged.
    sequential        poses first, then the action, fine-tuned together.
    untrained         the same as the parts come.
    feedback          frame by frame, the pose network is told what the recogniser said of the frames before.
    multi_task        one network; the action is a linear function of the prior's coordinates.
    distillation      sequential, taught by networks that are told the true action (init_from.teacher_pose, of
                      --config.model.equiprobable=0.0, and init_from.teacher_action).
"""

from ml_collections import ConfigDict

from configs import deepprior_film_synthetic, har_lstm_synthetic
from vid_jax import default_config

# Names of parameters that train; scales and shifts of frozen normalisations do not.
_POSE, _CONDITIONED, _ACTION = "pose/(?!.*norm).*", "conditioned_pose/(?!.*norm).*", "action/.*"
VARIANTS = {  # scheme and what trains of it; nothing: no training
    "": ("boosting", (_CONDITIONED, _ACTION)),
    "boosting": ("boosting", (_CONDITIONED, _ACTION)),
    "two_pass": ("boosting", ()),
    "sequential": ("sequential", (_POSE, _ACTION)),
    "untrained": ("sequential", ()),
    "feedback": ("feedback", (_CONDITIONED, _ACTION)),
    "multi_task": ("multi_task", (_POSE, _ACTION)),
    "distillation": ("distillation", (_POSE, _ACTION)),
}


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is one of the above."""
    check_variant(variant)
    parts = deepprior_film_synthetic.get_config("cpu")
    config = joint(parts, har_lstm_synthetic.get_config(), variant)
    config.data.max_length = 80
    config.data.lengths = (80,)
    return config


def check_variant(variant: str) -> None:
    """Raises ValueError where it is none of the above."""
    default_config.check_variant(variant, *VARIANTS)


def joint(pose: ConfigDict, action: ConfigDict, variant: str) -> ConfigDict:
    """The joint experiment whose parts are trained by these two."""
    scheme, trainable = VARIANTS[variant]
    config = default_config.hand_sequences()
    config.task = "pose_action"
    for part in ("pose", "conditioned_pose", "action", "teacher_pose", "teacher_action"):
        config.init_from[part] = ""

    config.model = ConfigDict()
    config.model.scheme = scheme  # or multi_task, sequential, feedback, distillation
    for part in ("pose", "conditioned_pose"):  # each as in the config that trains it
        config.model[part] = ConfigDict(pose.model.to_dict())
        config.model[part].prior_trainable = True
        config.model[part].drop_rate = 0.0
    config.model.pose.film = ()
    # How often training tells a sequence's networks no action.
    config.model.conditioned_pose.equiprobable = 0.95
    config.model.action = ConfigDict(action.model.to_dict())
    config.model.action.drop_rate = 0.0
    config.model.eta = 0.5  # boosting: the second pass's share of the poses
    config.model.zeta = 0.5  # of the log-probabilities
    # Of the answers: log_normalised; or log_unnormalised, as in the original; or probabilities.
    config.model.mixing = "log_normalised"
    config.model.smoothing = 0.0  # of poses over time: share of the average so far; 0: none
    config.model.smoothed = "both"  # who gets smoothed poses: pose (the result), action or both

    for key in pose.data:
        if key in config.data and key not in ("augmentation", "validation_fraction"):
            config.data[key] = pose.data[key]
    # Packed frames need no sequences of like length; each length, and each number of frames, is compiled.
    config.data.pool = 1
    config.data.packing = 128

    config.optimizer.name = "amsgrad"
    config.optimizer.learning_rate = 1e-4
    config.optimizer.weight_decay = 1e-5
    config.optimizer.trainable = trainable or (".*",)

    config.train.epochs = 30 if trainable else 0
    config.train.batch_size = 4
    config.train.batch_norm = (
        "frozen"  # normalise with running statistics; or batch, with packed frames'
    )
    config.train.weighting = "alpha"  # or uncertainty, which learns the weights
    config.train.alpha = 0.002  # of the action's log loss; the squared error of poses has 1 - alpha
    config.train.temporal_loss = 0.0  # weight of the squared change of the poses' error
    config.train.distillation = 0.5  # the teacher's share of both terms
    config.train.temperature = 1.2  # of teacher and student
    return config
