"""PredNet on KITTI, as published: the next frame of a car's camera.

Reproduces Lotter, Kreiman, Cox (ICLR 2017): 3x128x160, 10 frames, 150 epochs of 500 sequences, Adam 1e-3 and from
epoch 75 on 1e-4. On its own test recordings the authors report a squared error of 0.0084 beside 0.0212 of the last
frame. 6,915,948 parameters; 150 x 125 steps, about 8 s each on 2 cores: wants an accelerator.

    python main.py --config=configs/prednet_kitti.py --workdir=runs/kitti --config.data.source=FOLDER

Variants, as in `--config=configs/prednet_kitti.py:extrapolate`:
    (none)       predicts the next frame; the loss is the lowest layer's error (L_0).
    all_layers   the same with the errors of all layers in the loss (L_all).
    extrapolate  15 frames, the last 5 fed back, from a trained run: --config.init_from.all=runs/kitti
    demo         narrow, in colour, on generated pedestrians, 3 short epochs: shows the way, no result.
"""

from ml_collections import ConfigDict

from vid_jax import default_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty, all_layers, extrapolate or demo."""
    default_config.check_variant(variant, "all_layers", "extrapolate", "demo")
    config = default_config.get_config()
    config.task = "prednet"

    config.model = ConfigDict()
    config.model.stack_sizes = (48, 96, 192)  # channels of A above the frame's own
    config.model.R_stack_sizes = ()  # channels of R, the frame's layer first; default: those of A
    config.model.A_filter_sizes = (3, 3, 3)
    config.model.Ahat_filter_sizes = (3, 3, 3, 3)
    config.model.R_filter_sizes = (3, 3, 3, 3)

    config.data.dataset = "kitti"
    config.data.frame_size = (128, 160)
    config.data.resize = "crop"
    config.data.channels = 3
    config.data.num_frames = 10
    config.data.samples_per_epoch = 500
    config.data.validation_sequences = 100
    config.data.eval_num_frames = 10

    config.optimizer.name = "adam"
    config.optimizer.learning_rate = 1e-3
    config.optimizer.schedule = "step"
    config.optimizer.decay_epochs = (75,)
    config.optimizer.decay_rate = 0.1

    config.train.epochs = 150
    config.train.batch_size = 4
    config.train.layer_loss_weights = (1.0, 0.0, 0.0, 0.0)
    config.train.time_loss_weights = ()  # default: 0, then 1 / (num_frames - 1)
    config.train.extrap_start_time = 0  # frames seen before it is fed its own predictions; 0: all

    config.eval.extrap_start_time = 0  # the same in an evaluation of its own; 0: none
    config.eval.score = "mean"  # of a frame's squared error: mean, std, p50, p75, p90, p95, p99
    # What predict writes besides: prediction, error, all, or a unit such as R2 or Ahat0.
    config.eval.output_mode = ""

    if variant == "all_layers":
        config.train.layer_loss_weights = (1.0, 0.1, 0.1, 0.1)
    if variant == "extrapolate":
        config.data.num_frames = config.data.eval_num_frames = 15
        config.train.extrap_start_time = config.eval.extrap_start_time = 10
    if variant == "demo":
        config.data.dataset = "pedestrians"
        config.data.frame_size = (64, 80)
        config.data.samples_per_epoch = 100
        config.data.validation_sequences = 20
        config.model.stack_sizes = (8, 16, 32)
        config.train.epochs = 3
        config.eval.extrap_start_time = 5
    return config
