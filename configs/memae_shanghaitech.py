"""MemAE on ShanghaiTech Campus: one model for all 13 scenes, or one a scene.

The MemAE paper reports a frame AUC of 0.712 with one model. A later re-implementation could not repeat that; its
models of one scene each reach 0.50 to 0.92, 0.746 on average over the videos. Entropy weight 2e-4, no dropout and
frames of 220x392 (published: 480x856) are its settings. The accuracy has not been measured.

    python main.py --config=configs/memae_shanghaitech.py --workdir=runs/all --config.data.source=FOLDER

One model a scene: the same with --config.data.scene=3 (1 to 13) and a workdir of its own, --workdir=runs/scene_03.

Variants: none, for an accelerator; cpu, narrow, crops of 128x192 frames.
"""

from ml_collections import ConfigDict

from configs import memae_ped2


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty or cpu."""
    config = memae_ped2.get_config(variant)
    config.data.dataset = "shanghaitech"
    config.model.encoder_drop_rates = (0.0, 0.0, 0.0, 0.0)
    config.model.decoder_drop_rates = (0.0, 0.0, 0.0, 0.0)
    config.train.entropy_weight = 2e-4
    if not variant:
        config.data.frame_size = (220, 392)
    return config
