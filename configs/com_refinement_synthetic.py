"""The network that refines the centre of generated hands, for DeepPrior++ to use.

Follows Oberweger and Lepetit, "DeepPrior++" (ICCV Workshops 2017), section 3.1: batch 64, learning rate 5e-4, crops
about the centre of mass and, as far as shifts reach, about others.

    python main.py --config=configs/com_refinement_synthetic.py --workdir=runs/center
    python main.py --config=configs/deepprior_synthetic.py --workdir=runs/hands \\
        --config.model.com_refinement=True --config.init_from.com_refinement=runs/center

Variants: none trains 100 epochs; demo 5 on fewer frames.
"""

from ml_collections import ConfigDict

from vid_jax import default_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty or demo."""
    default_config.check_variant(variant, "demo")
    config = default_config.hands()
    config.task = "com_refinement"

    config.model = ConfigDict()
    config.model.drop_rate = 0.3

    config.data.dataset = "hands_small" if variant else "hands"
    config.data.center = "depth"

    config.optimizer.learning_rate = 5e-4
    config.train.epochs = 5 if variant else 100
    config.train.batch_size = 64
    return config
