"""DeepPrior++ conditioned on the action, on generated gestures. No download.

FiLM (Perez et al., AAAI 2018) of the input of every residual block and of both hidden layers. Training tells the
network no action (all are as likely): so it starts a joint model, which then tells it what it predicts
(configs/pose_action_synthetic.py). Told true actions, --config.model.equiprobable=0.0, a network comes to rely on them,
and is evaluated with --config.eval.action=ground_truth.

    python main.py --config=configs/deepprior_film_synthetic.py:demo --workdir=runs/film

Variants, as in `--config=configs/deepprior_film_synthetic.py:demo`:
    (none)  DeepPrior++ at full width, 100 epochs: wants an accelerator.
    cpu     a smaller DeepPrior++ and 64x64 crops, as in deepprior_synthetic.py.
    demo    the same for 5 epochs of 4,000 frames: 24.3 mm, beside 17.6 of the nearest training pose and 52.1 of the
            mean pose; told true actions 25.8, and without conditioning 23.8 (one seed each).
"""

from ml_collections import ConfigDict

from configs import deepprior_synthetic
from vid_jax import default_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty, cpu or demo."""
    default_config.check_variant(variant, "cpu", "demo")
    config = deepprior_synthetic.get_config(variant)
    config.data.dataset = "hands_gestures"
    config.model.film = ("residual", "linear")
    if variant == "demo":
        config.data.samples_per_epoch = 4_000
        config.train.epochs = 5
    return config
