"""DeepPrior++ on ICVL (Tang et al., CVPR 2014), 16 joints, cubes of 250 mm.

Reproduces Oberweger and Lepetit (ICCV Workshops 2017) on the frames that are not rotated. Not run here.

    python main.py --config=configs/deepprior_icvl.py --workdir=runs/icvl --config.data.source=FOLDER

Variants: none for an accelerator; cpu as in deepprior_synthetic.py.
"""

from ml_collections import ConfigDict

from configs import deepprior_synthetic
from vid_jax import default_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty or cpu."""
    default_config.check_variant(variant, "cpu")
    config = deepprior_synthetic.get_config(variant)
    config.data.dataset = "icvl"
    config.data.center = "joint"
    config.data.cube = 0.0
    config.data.validation = "fraction"
    return config
