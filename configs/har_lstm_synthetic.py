"""Actions of generated hands from their joints, on subjects that are not trained on. No download.

The network is that of Garcia-Hernando et al., "First-Person Hand Action Benchmark with RGB-D Videos and 3D Hand Pose
Annotations" (CVPR 2018): one layer of LSTM, 100 units, answered by its last state.

    python main.py --config=configs/har_lstm_synthetic.py:best --workdir=runs/gestures

Variants, as in `--config=configs/har_lstm_synthetic.py:best`:
    (none)  the published network on joints from the middle finger's MCP, at most 120 frames: 0.897 of the test
            sequences after 15 epochs.
    best    two layers in both directions with attention pooling, on features of the palm's own frame, augmented: all
            600 test sequences after 15 epochs, beside 0.933 of a support-vector machine.
    demo    the same for 3 epochs: 0.888.
    attention  the published network, answered by the mean of its answers after each frame, weighed by attention.
"""

from ml_collections import ConfigDict

from vid_jax import default_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty, attention, best or demo."""
    default_config.check_variant(variant, "attention", "best", "demo")
    config = baseline()
    config.data.dataset = "gestures"
    config.train.epochs = 15
    if variant == "attention":
        config.model.attention = "action_relu"
    elif variant:
        best(config)
    if variant == "demo":
        config.train.epochs = 3
    return config


def baseline() -> ConfigDict:
    """The published network, without a data set."""
    config = default_config.joint_sequences()
    config.task = "hand_action"

    config.model = ConfigDict()
    # Joined; or wrist, palm, palm_rotation, wrist_path, velocity, log_length (docs/hand_action.md).
    config.model.features = ("middle_mcp",)
    config.model.resample = 0  # frames that each sequence is interpolated to; 0: as they are
    config.model.pca = 0  # principal components of the features of single poses; 0: all of these
    config.model.hidden = 100  # units of a layer and direction
    config.model.layers = 1
    config.model.bidirectional = False
    config.model.attention = "none"  # or one of docs/hand_action.md, such as action_relu, pooling
    config.model.attention_kernel = 9  # frames that its convolution spans
    config.model.unmasked = False  # attention to the action weighs padding too
    config.model.drop_rate = 0.0  # of states between layers and before the last
    config.model.members = 1  # independent networks whose answers are averaged

    config.data.max_length = 120
    config.data.lengths = (64, 128)

    config.optimizer.name = "amsgrad"
    config.optimizer.learning_rate = 3e-3

    config.train.batch_size = 20
    config.train.label_smoothing = 0.0
    return config


def best(config: ConfigDict) -> None:
    """Makes it the network and the training that recognise best."""
    config.model.features = (
        "palm",
        "wrist",
        "palm_rotation",
        "wrist_path",
        "velocity",
        "log_length",
    )
    config.model.resample = 48
    config.model.hidden = 128
    config.model.layers = 2
    config.model.bidirectional = True
    config.model.attention = "pooling"
    config.model.drop_rate = 0.4

    config.data.max_length = 0
    config.data.lengths = (128, 512)
    config.data.rotation_range = 15.0
    config.data.scale_sigma = 0.1
    config.data.time_warp = 0.3
    config.data.crop = 0.2
    config.data.noise_sigma = 1.0

    config.optimizer.name = "adamw"
    config.optimizer.weight_decay = 1e-2
    config.optimizer.clip_norm = 1.0
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_epochs = 3.0

    config.train.batch_size = 32
    config.train.label_smoothing = 0.1
