"""PredNet on UCSD Ped2, or on generated pedestrians of the same geometry.

The settings of prednet_ped1.py; frames are 160x240.

    python main.py --config=configs/prednet_ped2.py --workdir=runs/ped2 --config.data.source=FOLDER

Variants, as in `--config=configs/prednet_ped2.py:cpu`:
    (none)  3x160x240 at full width: wants an accelerator.
    cpu     1-16-32-64 channels, 64x96 grey frames, 3,000 steps in 27 minutes on 2 cores. On Ped2 the squared error is
            0.71 of the best trivial prediction's (the last frame's); frame AUC of the statistic that the generated
            scene chose 0.537 beside 0.891 of 50 principal components.
    demo    the same on generated pedestrians, no download, 1,500 steps in 15 minutes: 0.56 of the best trivial
            prediction's squared error, frame AUC 0.725 beside 0.730 of the distance to the mean frame.
"""

from ml_collections import ConfigDict

from configs import prednet_ped1


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty, cpu or demo."""
    config = prednet_ped1.get_config(variant)
    if variant != "demo":
        config.data.dataset = "ucsd_ped2"
    if not variant:
        config.data.frame_size = (160, 240)
    return config
