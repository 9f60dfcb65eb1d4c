"""MemAE on UCSD Ped1: the settings of Ped2 at Ped1's frame size.

The MemAE paper has no figure for Ped1. Frames are 158x238; the variants are those of memae_ped2.py, on Ped1.

    python main.py --config=configs/memae_ped1.py --workdir=runs/ped1 --config.data.source=FOLDER
"""

from ml_collections import ConfigDict

from configs import memae_ped2


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty or cpu."""
    config = memae_ped2.get_config(variant)
    config.data.dataset = "ucsd_ped1"
    if not variant:
        config.data.frame_size = (158, 238)
    return config
