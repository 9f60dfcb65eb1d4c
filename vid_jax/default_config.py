"""The groups of a config that belong to the loop and the input, with their defaults.

A config file starts from `get_config` and sets what its experiment needs; `model` is its own.
"""

from collections.abc import Container

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Seed, `init_from`, `data` of videos, `optimizer`, `train` and `eval`."""
    return _config(_videos())


def hands() -> ConfigDict:
    """The same with `data` of hands in depth maps, and `predict`."""
    config = _config(_hands())
    config.predict = ConfigDict()
    config.predict.camera = ""  # a name or fx,fy,cx,cy,WIDTHxHEIGHT; default: the training data's
    config.predict.com = ""  # a file of hand centres; default: the hand is detected
    config.predict.cube = 0.0  # mm; 0: data.cube, or 200
    # What a network conditioned on the action is told: uniform, predicted, ground_truth; default: predicted by joint
    # models, uniform alone.
    config.eval.action = ""
    return config


def of_keys(data: Container[str]) -> ConfigDict:
    """The default that a config with these keys in `data` started from."""
    if "split_seed" in data:
        return images()
    if "packing" in data:
        return hand_sequences()
    if "crop_size" in data:
        return hands()
    return joint_sequences() if "max_length" in data else get_config()


def hand_sequences() -> ConfigDict:
    """The same as `hands`, with whole sequences of crops for `data`."""
    config = hands()
    config.data.update(_sequences())
    config.data.packing = 64  # crops of a batch's sequences are padded to a multiple of it together
    config.data.augmentation = ("none",)
    config.data.validation = "subject"
    return config


def joint_sequences() -> ConfigDict:
    """The same as `get_config` with `data` of sequences of joints, and `predict`."""
    data = ConfigDict()
    data.dataset = ""
    data.source = ""  # the published folder
    data.dir = ""  # prepared data; default: TFDS's own
    data.bad_frames = "error"  # or skip
    data.protocol = ""  # which sequences test; default: the data set's first (docs/hand_action.md)
    data.validation = "subject"  # held out; or fraction of training sequences, test, none
    data.validation_fraction = 0.2
    data.validation_subject = ""  # default: the last training subject
    data.samples_per_epoch = 0  # sequences between two validations; 0: all
    data.update(_sequences())
    data.draws = "fresh"  # of augmentation in each epoch, or fixed
    data.rotation_range = 0.0  # degrees to either side about any axis
    data.scale_sigma = 0.0
    data.time_warp = 0.0  # how unevenly time passes; 0: evenly
    data.crop = 0.0  # the largest share of a sequence that is cut off its ends
    data.noise_sigma = 0.0  # mm, of each joint
    config = _config(data)
    config.predict = ConfigDict()
    config.predict.camera = ""  # of joints in pixels; default: the training data's
    return config


def images() -> ConfigDict:
    """The same as `get_config` with `data` of photographs, and `predict` of a video's key clips."""
    data = ConfigDict()
    data.dataset = ""
    data.source = ""  # the folder
    data.dir = ""  # prepared data; default: TFDS's own
    data.bad_frames = "error"  # or skip
    data.frame_size = (96, 192)  # height, width
    data.validation_fraction = 0.2  # held out, to validate and to test
    data.split_seed = 42
    data.samples_per_epoch = 0  # images between two validations; 0: all
    data.flip_probability = 0.0  # left to right, in training
    data.random_crop = (0, 0)  # what training sees of an image, somewhere in it; (0, 0): all
    config = _config(data)
    config.predict = _key_clips()
    return config


def _key_clips() -> ConfigDict:
    predict = ConfigDict()
    predict.samples_per_second = 5.0
    predict.window = 1.0  # seconds; the sharpest sample of each is a candidate
    predict.embedding = "both"  # or autoencoder, histogram
    predict.selector = "change_points"  # last_kept, neighbour, k_medoids, uniform
    predict.threshold = "auto"  # or a number: of last_kept and neighbour a distance
    predict.number = 0  # of key frames, for k_medoids and uniform
    predict.min_gap = 0.0  # seconds
    predict.max_count = 0  # 0: any
    predict.min_brightness = 12.0  # mean grey value, 0 to 255
    predict.min_contrast = 6.0  # standard deviation of grey values
    predict.min_sharpness = 0.02  # variance of the Laplacian, of its median over the video
    predict.image_format = "jpg"  # or png
    predict.clips = "none"  # copy: from the codec's key frame before; exact: encoded anew
    predict.overwrite = False  # an output folder that holds something
    return predict


def _sequences() -> ConfigDict:
    data = ConfigDict()
    data.max_length = 0  # frames of a sequence; 0: all
    data.cut = "end"  # where longer ones are cut; or start, both
    data.lengths = (64, 128, 256, 512, 1024)  # that batches are padded to; a compilation each
    data.pool = 8  # batches that share sequences by their lengths
    return data


def _config(data: ConfigDict) -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.init_from = ConfigDict({"all": ""})  # part of the network, or all: another run's workdir
    config.data = data
    config.optimizer = _optimizer()
    config.train = _train()
    config.eval = _eval()
    return config


def seen_size(data: ConfigDict) -> tuple[int, ...]:
    """What training sees of a frame, by a config's `data`: its crops, or all of it."""
    return tuple(data.random_crop if any(data.random_crop) else data.frame_size)


def check_variant(variant: str, *variants: str) -> None:
    """Checks what stands behind the colon of `--config=FILE:VARIANT`; empty is always one.

    Raises:
        ValueError: it is none of `variants`.
    """
    if variant not in ("", *variants):
        raise ValueError(f"variant {variant!r} is unknown; use one of {', '.join(variants)}")


def _videos() -> ConfigDict:
    data = ConfigDict()
    data.dataset = ""
    data.source = ""  # the published archive or folder
    data.labels = ""  # of avenue: masks (default) or ano_pred
    data.scene = 0  # of shanghaitech, 1 to 13; 0: all
    data.dir = ""  # prepared data; default: TFDS's own
    data.frame_size = (240, 360)  # height, width
    data.channels = 1
    data.num_frames = 16  # of a window
    data.stride = 1  # frames between the starts of windows
    data.samples_per_epoch = 0  # windows between two validations; 0: all
    data.eval_num_frames = 0  # of a test window; 0: as in training, with the same stride
    data.eval_overlap = 0  # frames that a test window of eval_num_frames shares with the one before
    data.resize = "stretch"  # to frame_size; or crop: its aspect ratio kept, the middle
    data.flip_probability = 0.0
    data.random_crop = (0, 0)  # what training sees of a window, somewhere in it; (0, 0): all
    data.pseudo_anomaly_probability = 0.0  # of a training window that skips frames (docs/memae.md)
    data.pseudo_anomaly_steps = (2, 3, 4, 5)  # from one of its frames to the next
    # Squared error in [-1, 1] that it shall have at least; 0: it shall become the window without skipping.
    data.pseudo_anomaly_margin = 0.0
    data.validation = "shortest_video"  # held out; or fraction: drawn by the seed
    data.validation_fraction = 0.2  # of the training videos
    data.validation_sequences = 0  # validation windows, evenly spaced; 0: all
    data.bad_frames = "error"  # or skip
    return data


def _hands() -> ConfigDict:
    data = ConfigDict()
    data.dataset = ""
    data.source = ""  # the published folder
    data.dir = ""  # prepared data; default: TFDS's own
    data.bad_frames = "error"  # or skip
    data.protocol = ""  # which frames test; default: the data set's first (docs/hand_pose.md)
    data.held_out = ""  # the test subject of leave_one_subject_out
    data.validation = "fraction"  # of training frames; or subject, test, none
    data.validation_fraction = 0.1
    data.validation_subject = ""  # default: the last training subject
    data.samples_per_epoch = 0  # crops between two validations; 0: all
    data.center = "joint"  # of the crop: the reference joint, the centre of depth, or detector
    data.cube = 0.0  # mm; 0: the data set's own
    data.crop = "cube"  # or one of the boxes about the true joints (docs/hand_pose.md)
    data.crop_size = 128  # pixels
    data.interpolation = "nearest"  # or bilinear
    data.augmentation = ("com", "rot", "none")  # one is drawn for each crop; also sc, rot+com ...
    data.draws = "fresh"  # in each epoch, or fixed
    data.shift_sigma = 5.0  # mm, of com
    data.rotation_range = 180.0  # degrees to either side, of rot
    data.scale_sigma = 0.02  # of sc
    data.prior_augmentation = ("com", "rot", "none")  # of the poses that the prior is fitted on
    return data


def _optimizer() -> ConfigDict:
    optimizer = ConfigDict()
    optimizer.name = "adam"  # ranger, radam, adamw, amsgrad, sgd, muon
    optimizer.learning_rate = 1e-3
    optimizer.schedule = "constant"  # cosine, step, exponential, inverse_time, plateau, staged
    optimizer.warmup_epochs = 0.0
    optimizer.decay_epochs = ()  # of the step schedule
    optimizer.decay_rate = 0.1  # of every schedule but constant and cosine
    optimizer.plateau_patience = 10  # epochs without improvement before the rate decays
    optimizer.plateau_min_delta = 0.0
    optimizer.min_learning_rate = 0.0  # of the plateau schedule
    optimizer.b1 = 0.9
    optimizer.b2 = 0.999
    optimizer.eps = 1e-8
    optimizer.momentum = 0.9  # of sgd and muon
    optimizer.weight_decay = 0.0
    optimizer.clip_norm = 0.0  # 0: no clipping
    optimizer.sync_period = 6  # Lookahead's k
    optimizer.slow_step_size = 0.5  # Lookahead's alpha
    optimizer.trainable = (".*",)  # patterns of whole names as in the logged table; the rest stays
    return optimizer


def _train() -> ConfigDict:
    train = ConfigDict()
    train.epochs = 100
    train.epochs_of = ""  # a workdir: as many epochs as its validation chose, instead
    train.batch_size = 4  # over all devices
    train.batch_per_device = 0  # if set, takes the place of batch_size and scales with the devices
    train.microbatch = 0  # examples per pass; BatchNorm statistics are per pass. 0: the whole batch
    train.batch_norm_momentum = 0.9
    train.max_steps = 0  # stops after so many; 0: after all epochs
    train.checkpoint_every = 500  # steps; besides the end of every epoch
    train.early_stopping_patience = 0  # epochs without improvement; 0: off
    train.early_stopping_min_delta = 0.0
    train.summaries_every = 1  # epochs between images and histograms
    return train


def _eval() -> ConfigDict:
    config = ConfigDict()
    # Lookahead's copy that picks the best checkpoint and is evaluated; or slow.
    config.params = "fast"
    config.checkpoint = "best"  # by validation; or latest
    config.slow_batches = 20  # training batches to recompute BatchNorm statistics for the slow copy
    config.smoothing_sigma = 0.0  # frames; smoothed figures stand beside the others. 0: none
    return config
