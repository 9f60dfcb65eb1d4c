"""MemAE on CUHK Avenue: the settings of Ped2 at Avenue's aspect ratio.

The MemAE paper reports a frame AUC of 0.833, re-implementations 0.810 to 0.829. Frames of 360x640 are brought to
203x360; entropy weight 6e-4 and spatial dropout 0.2 are those of Ped2. The training video with the fewest frames is
held out, which leaves 14,958 windows, 831 steps an epoch. Its accuracy has not been measured.

    python main.py --config=configs/memae_avenue.py --workdir=runs/avenue --config.data.source=FOLDER

Two sets of frame labels are in circulation (docs/data.md), and a report names the one it used:
--config.data.labels=masks (default) counts 3,712 abnormal frames, --config.data.labels=ano_pred 3,867.

Variants: none, for an accelerator; cpu, narrow, crops of 128x192 frames.
"""

from ml_collections import ConfigDict

from configs import memae_ped2


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty or cpu."""
    config = memae_ped2.get_config(variant)
    config.data.dataset = "avenue"
    if not variant:
        config.data.frame_size = (203, 360)
    return config
