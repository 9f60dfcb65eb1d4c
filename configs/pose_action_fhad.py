"""Hand pose and action together, on First-Person Hand Action (Garcia-Hernando et al., CVPR 2018), 1:1 action split.

As pose_action_synthetic.py, whose variants it has, with the parts of deepprior_film_fhad.py and of the plain recogniser
of har_lstm_fhad.py, sequences of at most 120 frames and a learning rate of 3e-5. A re-implementation of this family
reports 14.5 mm and 59.0 % before and 10.9 mm and 68.0 % after fine-tuning in sequence, 11.0 and 68.2 with feedback,
10.7 and 71.0 boosted, with its test split validating (--config.data.validation=test) and crops about the true joints
(--config.data.crop=joint_rectangle). Here one training subject is held out, of the parts too. Not run: the data may not
be passed on.

    python main.py --config=configs/deepprior_film_fhad.py:cpu --config.model.prior_trainable=True \\
        --config.data.validation=subject --config.model.film="()" --workdir=runs/pose --config.data.source=FOLDER
    python main.py --config=configs/deepprior_film_fhad.py:cpu --config.model.prior_trainable=True \\
        --config.data.validation=subject --workdir=runs/conditioned_pose --config.data.source=FOLDER
    python main.py --config=configs/har_lstm_fhad.py:baseline --workdir=runs/action --config.data.source=FOLDER
    python main.py --config=configs/pose_action_fhad.py --config.init_from.pose=runs/pose \\
        --config.init_from.conditioned_pose=runs/conditioned_pose --config.init_from.action=runs/action \\
        --workdir=runs/boosting --config.data.source=FOLDER
"""

from ml_collections import ConfigDict

from configs import deepprior_film_fhad, har_lstm_fhad, pose_action_synthetic


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is one of those of pose_action_synthetic.py."""
    pose_action_synthetic.check_variant(variant)
    parts = deepprior_film_fhad.get_config("cpu")
    config = pose_action_synthetic.joint(parts, har_lstm_fhad.get_config("baseline"), variant)
    config.data.validation = "subject"
    config.data.max_length = 120
    config.data.lengths = (120,)
    config.optimizer.learning_rate = 3e-5
    config.train.early_stopping_patience = 10
    return config
