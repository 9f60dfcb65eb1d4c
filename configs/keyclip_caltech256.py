"""Key clips: an autoencoder of photographs at 96x192, on Caltech-256.

The network is the last of Chen et al. (J. Phys.: Conf. Ser. 2025 012018, 2021), with BatchNorms of the decoder's own;
the loss is the mix of MS-SSIM and L1 of Zhao et al., "Loss Functions for Image Restoration with Neural Networks" (IEEE
Transactions on Computational Imaging 2017).

    python main.py --config=configs/keyclip_caltech256.py --workdir=runs/keyclip \\
        --config.data.source=FOLDER

FOLDER holds 256_ObjectCategories as published, or with `--config.data.dataset=images` any images.

Variants, as in `--config=configs/keyclip_caltech256.py:demo`:
    (none)  as published, 50 epochs of SGD: wants an accelerator.
    cpu     any folder of photographs, such as 40 classes of Caltech-101, for at most 30 minutes on 2 cores.
    demo    generated images, under 2 minutes; too short to beat thumbnails of as many values.
"""

from ml_collections import ConfigDict

from vid_jax import default_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the experiment; `variant` is empty, cpu or demo."""
    default_config.check_variant(variant, "cpu", "demo")
    config = default_config.images()
    config.task = "keyclip"

    config.model = ConfigDict()
    config.model.widths = (32, 64, 128, 64)  # of the encoder; the decoder has them in reverse
    config.model.latent_channels = 8  # of 1/8 of the height and width: 2,304 values
    config.model.input_norm = True
    config.model.dtype = "float32"  # of the convolutions; or bfloat16

    config.data.dataset = "caltech256"

    config.optimizer.name = "sgd"
    config.optimizer.learning_rate = 0.01
    config.optimizer.momentum = 0.0

    config.train.loss = "ms_ssim_l1"  # or classic, l1, l2
    config.train.alpha = (
        0.84  # of MS-SSIM, as Zhao et al. have it; or 0.025, as key clips were made with
    )
    config.train.epochs = 50
    config.train.batch_size = 32

    if variant:
        config.optimizer.name = "muon"
        config.optimizer.learning_rate = 1e-2
        config.optimizer.momentum = 0.95
        config.optimizer.schedule = "cosine"
        config.optimizer.warmup_epochs = 0.2
        config.train.alpha = 0.15
        config.data.flip_probability = 0.5
    if variant == "cpu":
        config.data.dataset = "images"
        config.data.random_crop = (48, 96)
        config.data.samples_per_epoch = 6080  # 190 steps
        config.train.epochs = 8
    if variant == "demo":
        config.data.dataset = "generated_images"
        config.data.frame_size = (48, 96)
        config.train.batch_size = 8
        config.train.epochs = 3
    return config
