"""DeepPrior++ on MSRA15 (Sun et al., CVPR 2015), leave-one-subject-out.

Reproduces Oberweger and Lepetit (ICCV Workshops 2017): per-subject cubes, centred on the middle finger's MCP of the
ground truth. Nine folds make the benchmark: --config.data.held_out=P0 to P8. Not run here: the data may not be passed
on.

    python main.py --config=configs/deepprior_msra15.py --workdir=runs/msra_P0 --config.data.source=FOLDER

Variants: none for an accelerator; cpu as in deepprior_synthetic.py.
"""

from ml_collections import ConfigDict

from configs import deepprior_synthetic
from vid_jax import default_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty or cpu."""
    default_config.check_variant(variant, "cpu")
    config = deepprior_synthetic.get_config(variant)
    config.data.dataset = "msra15"
    config.data.center = "joint"
    config.data.cube = 0.0
    return config
