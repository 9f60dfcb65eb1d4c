"""Actions of First-Person Hand Action from its annotated joints, 45 classes, the published 1:1 split.

Garcia-Hernando et al., "First-Person Hand Action Benchmark with RGB-D Videos and 3D Hand Pose Annotations", CVPR 2018.
Of the data set only Hand_pose_annotation_v1 and data_split_action_recognition.txt are needed; neither depth nor video.

    python main.py --config=configs/har_lstm_fhad.py --config.data.source=FOLDER --workdir=runs/fhad_actions

Variants, as in `--config=configs/har_lstm_fhad.py:select`:
    (none)    two layers in both directions with attention pooling, on features of the palm's own frame, augmented;
              trained on all training sequences for 200 epochs, and the last of them is evaluated.
    select    the same with one training subject held out: what the number of epochs and other choices are made by,
              for all subjects perform in the test split too.
    ensemble  five such networks, whose log-probabilities are averaged.
    baseline  the published network: one layer of 100 units on joints from the middle finger's MCP, at most 120 frames;
              one training subject held out.
    attention the same, answered by the mean of its answers after each frame, weighed by attention.
"""

from ml_collections import ConfigDict

from configs import har_lstm_synthetic
from vid_jax import default_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty, select, ensemble, baseline or attention."""
    default_config.check_variant(variant, "select", "ensemble", "baseline", "attention")
    config = har_lstm_synthetic.baseline()
    config.data.dataset = "fhad_joints"
    config.train.epochs = 200
    if variant in ("baseline", "attention"):
        config.model.attention = "action_relu" if variant == "attention" else "none"
        return config
    har_lstm_synthetic.best(config)
    if variant == "ensemble":
        config.model.members = 5
    if variant != "select":
        config.data.validation = "none"
        config.eval.checkpoint = "latest"
    return config
