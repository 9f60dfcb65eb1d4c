"""DeepPrior++ conditioned on the action, on First-Person Hand Action (Garcia-Hernando et al., CVPR 2018), 1:1 split.

The network of deepprior_fhad.py with FiLM (Perez et al., AAAI 2018) of the input of every residual block and of both
hidden layers, which start at random. Training tells it no action: so it starts a joint model, which then tells it what
it predicts (configs/pose_action_fhad.py). Not run here: the data may not be passed on.

    python main.py --config=configs/deepprior_film_fhad.py --workdir=runs/film --config.data.source=FOLDER

Variants: none for an accelerator; cpu as in deepprior_synthetic.py.
"""

from ml_collections import ConfigDict

from configs import deepprior_fhad
from vid_jax import default_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty or cpu."""
    default_config.check_variant(variant, "cpu")
    config = deepprior_fhad.get_config(variant)
    config.model.film = ("residual", "linear")
    config.model.film_identity = False
    return config
