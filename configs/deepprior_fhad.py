"""DeepPrior++ on First-Person Hand Action (Garcia-Hernando et al., CVPR 2018), 1:1 action split.

Cubes of 200 mm about the middle finger's MCP of the ground truth, constant learning rate, no augmentation, blocks
with a separate skip, as in the re-implementation that reports 14.5 mm with a crop about the true joints
(--config.data.crop=joint_rectangle), the test split validating (--config.data.validation=test). Not run here: the
data may not be passed on.

    python main.py --config=configs/deepprior_fhad.py --workdir=runs/fhad --config.data.source=FOLDER

Variants: none for an accelerator; cpu as in deepprior_synthetic.py.
"""

from ml_collections import ConfigDict

from configs import deepprior_synthetic
from vid_jax import default_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty or cpu."""
    default_config.check_variant(variant, "cpu")
    config = deepprior_synthetic.get_config(variant)
    config.data.dataset = "fhad"
    config.data.center = "joint"
    config.data.cube = 0.0
    config.data.validation = "fraction"
    config.model.layout = "separate_skip"
    config.data.augmentation = ("none",)
    config.data.prior_augmentation = ("none",)
    config.optimizer.schedule = "constant"
    return config
