"""DeepPrior++ on NYU Hand Pose (Tompson et al., TOG 2014), 14 of its 36 joints.

Reproduces Oberweger and Lepetit (ICCV Workshops 2017), who report 12.2 mm. Cubes of 300 mm, of 250 mm for the second
test subject. Not run here.

    python main.py --config=configs/deepprior_nyu.py --workdir=runs/nyu --config.data.source=FOLDER

Variants: none for an accelerator; cpu as in deepprior_synthetic.py.
"""

from ml_collections import ConfigDict

from configs import deepprior_synthetic
from vid_jax import default_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty or cpu."""
    default_config.check_variant(variant, "cpu")
    config = deepprior_synthetic.get_config(variant)
    config.data.dataset = "nyu"
    config.data.center = "joint"
    config.data.cube = 0.0
    config.data.validation = "fraction"
    return config
