"""MemAE on your own videos: a folder with train/ (normal footage) and test/ (footage to score).

See docs/your_own_videos.md. Frames are brought to 128x192; choose a size that keeps your aspect ratio and
shows the smallest thing that matters with at least 8 pixels.

    python main.py --config=configs/memae_videos.py --workdir=runs/mine --config.data.source=FOLDER

Variants: none, for an accelerator; cpu, narrow, crops of 128x192 frames.
"""

from ml_collections import ConfigDict

from configs import memae_ped2


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty or cpu."""
    config = memae_ped2.get_config(variant)
    config.data.dataset = "videos"
    config.data.bad_frames = "skip"
    config.train.early_stopping_patience = 20
    if not variant:
        config.data.frame_size = (128, 192)
    return config
