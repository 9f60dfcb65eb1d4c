"""PredNet on your own videos: a folder with train/ (normal footage) and test/ (footage to score).

See docs/your_own_videos.md. Frames are brought to 128x192; height and width must be multiples of 8.

    python main.py --config=configs/prednet_videos.py --workdir=runs/mine --config.data.source=FOLDER

Variants: none, for an accelerator; cpu, narrow and 64x96 grey frames.
"""

from ml_collections import ConfigDict

from configs import prednet_ped1
from vid_jax import default_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty or cpu."""
    default_config.check_variant(variant, "cpu")
    config = prednet_ped1.get_config(variant)
    config.data.dataset = "videos"
    config.data.bad_frames = "skip"
    config.data.validation = "shortest_video"
    if not variant:
        config.data.frame_size = (128, 192)
    return config
