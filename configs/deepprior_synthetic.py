"""DeepPrior++ on generated hands: 3-D joints from a crop of a depth map. No download.

Follows Oberweger and Lepetit, "DeepPrior++" (ICCV Workshops 2017), with the hand's centre found from depth.

    python main.py --config=configs/deepprior_synthetic.py:demo --workdir=runs/hands

Variants, as in `--config=configs/deepprior_synthetic.py:demo`:
    (none)  DeepPrior++ at full width, 100 epochs: wants an accelerator.
    cpu     a smaller DeepPrior++ and 64x64 crops, 27 minutes on 2 cores: 23.0 mm, beside 23.3 of the nearest training
            pose and 62.8 of the mean pose. It was to reach 10.
    demo    the same for 10 epochs of 3,900 frames: under 2 minutes, 31.6 mm, beside 26.9 and 62.5.
"""

from ml_collections import ConfigDict

from vid_jax import default_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty, cpu or demo."""
    default_config.check_variant(variant, "cpu", "demo")
    config = default_config.hands()
    config.task = "hand_pose"

    config.model = ConfigDict()
    config.model.network = "deep_prior_pp"  # or deep_prior
    # The blocks of deep_prior_pp; or separate_skip, as later implementations have them.
    config.model.layout = "shared_preactivation"
    config.model.widths = (32, 64, 128, 256, 256)  # of deep_prior_pp: its first convolution, stages
    config.model.blocks = 5  # of a stage of deep_prior_pp
    config.model.drop_rate = 0.3
    config.model.prior_components = 30  # of the linear prior; 0: none
    config.model.prior_samples = 1_000_000  # augmented poses that it is fitted on
    config.model.prior_trainable = False
    # Whether a trained network refines the hand's centre first: that of the workdir below.
    config.model.com_refinement = False
    config.init_from.com_refinement = ""
    config.model.dtype = "float32"  # of the convolutions; or bfloat16
    # Where it is conditioned on the action: image, residual, linear, prior (FiLM), channel, embedding.
    config.model.film = ()
    config.model.film_identity = True  # FiLM starts at zero and changes nothing
    config.model.equiprobable = 1.0  # probability that training tells no action

    config.data.dataset = "hands"
    config.data.center = "depth"
    config.data.cube = (
        250.0  # the centre of mass leans towards the forearm: 200 cuts fingertips off
    )
    config.data.validation = "subject"

    # The published schedule: a slow start, then exponential decay.
    config.optimizer.learning_rate = 1e-3
    config.optimizer.schedule = "staged"
    config.optimizer.decay_rate = 0.9608  # exp(-0.04)

    config.train.loss = "l2"  # or huber, l1
    config.train.epochs = 100
    config.train.batch_size = 128

    if variant:
        config.model.widths = (16, 32, 64, 128, 128)
        config.model.blocks = 2
        config.model.drop_rate = 0.0
        config.model.prior_samples = 200_000
        config.data.crop_size = 64
        config.data.augmentation = ("rot+com+sc",)
        config.data.prior_augmentation = ("rot+com+sc",)
        config.data.scale_sigma = 0.05
        config.optimizer.schedule = "cosine"
        config.optimizer.learning_rate = 3e-3
        config.optimizer.warmup_epochs = 0.5
        config.train.loss = "huber"
        config.train.batch_size = 64
        config.train.epochs = 60
    if variant == "demo":
        config.data.dataset = "hands_small"
        config.train.epochs = 10
    return config
