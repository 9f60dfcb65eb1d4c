"""Prepared data sets: found, or made from their source."""

import contextlib
import errno
import io
import shutil
from pathlib import Path

import requests
from absl import logging

from vid_jax.errors import UserError
from vid_jax.input_pipeline import locks, sources
from vid_jax.input_pipeline.datasets import shanghaitech
from vid_jax.input_pipeline.datasets.avenue import Avenue
from vid_jax.input_pipeline.datasets.caltech101 import caltech101
from vid_jax.input_pipeline.datasets.caltech256 import Caltech256
from vid_jax.input_pipeline.datasets.fhad import Fhad
from vid_jax.input_pipeline.datasets.fhad_joints import FhadJoints
from vid_jax.input_pipeline.datasets.generated_images import GeneratedImages
from vid_jax.input_pipeline.datasets.gestures import Gestures
from vid_jax.input_pipeline.datasets.hands import Hands
from vid_jax.input_pipeline.datasets.icvl import Icvl
from vid_jax.input_pipeline.datasets.image_folder import ImageFolder
from vid_jax.input_pipeline.datasets.kitti_raw import KittiRaw
from vid_jax.input_pipeline.datasets.moving_mnist import MovingMnistFrames
from vid_jax.input_pipeline.datasets.msra15 import Msra15
from vid_jax.input_pipeline.datasets.nyu import Nyu
from vid_jax.input_pipeline.datasets.pedestrians import Pedestrians
from vid_jax.input_pipeline.datasets.repacked_frames import RepackedFrames
from vid_jax.input_pipeline.datasets.ucsd_ped import UcsdPed
from vid_jax.input_pipeline.datasets.video_folder import VideoFolder
from vid_jax.input_pipeline.tensorflow_cpu import tf, tfds

# Of each data set its builder and, where that has several, the configuration by `config.data`.
_BUILDERS = {
    "avenue": (Avenue, lambda data: data.labels or "masks"),
    "caltech101": (caltech101, None),
    "caltech256": (Caltech256, None),
    "fhad": (Fhad, None),
    "fhad_joints": (FhadJoints, None),
    "frames": (RepackedFrames, None),
    "generated_images": (GeneratedImages, None),
    "gestures": (Gestures, None),
    "hands": (Hands, lambda data: "poses"),
    "hands_gestures": (Hands, lambda data: "gestures"),
    "hands_small": (Hands, lambda data: "small"),
    "icvl": (Icvl, None),
    "images": (ImageFolder, None),
    "kitti": (KittiRaw, None),
    "moving_mnist": (MovingMnistFrames, None),
    "msra15": (Msra15, None),
    "nyu": (Nyu, None),
    "pedestrians": (Pedestrians, None),
    "shanghaitech": (shanghaitech.Shanghaitech, lambda data: shanghaitech.config_name(data.scene)),
    "ucsd_ped1": (UcsdPed, lambda data: "ped1"),
    "ucsd_ped2": (UcsdPed, lambda data: "ped2"),
    "videos": (VideoFolder, None),
}


def prepare(config) -> tfds.core.DatasetBuilder:
    """The builder of `config.data.dataset`, prepared in `config.data.dir`.

    Prepared data whose source has changed since is prepared again.

    Raises:
        UserError: the source cannot be read, or the disk is full.
    """
    data = config.data
    root = sources.data_root(data)
    # The version of a generated data set stands for its source.
    from_source = data.source and sources.DATASETS[data.dataset]
    current = sources.fingerprint(sources.source_path(data)) if from_source else None
    name = _make_builder(data, root).info.full_name
    with locks.exclusive(root / f".{name.replace('/', '_')}.lock"):
        builder = _make_builder(data, root)  # anew: another process may have prepared it
        if (Path(builder.data_dir) / "dataset_info.json").is_file():
            reason = _stale(builder.info.metadata or {}, current, data)
            if not reason:
                return builder
            logging.info("%s is prepared again: %s", name, reason)
            shutil.rmtree(builder.data_dir)
            builder = _make_builder(data, root)
        for leftover in Path(builder.data_dir).parent.glob("incomplete.*"):
            shutil.rmtree(leftover)  # of a process that was killed
        logging.info("preparing %s in %s", name, builder.data_dir)
        if current:
            builder.info.metadata["source_fingerprint"] = current
        _download_and_prepare(builder, root)
    return builder


def _make_builder(data, root: Path) -> tfds.core.DatasetBuilder:
    builder, config_name = _BUILDERS[data.dataset]
    source = sources.source_path(data) if data.source else None
    settings = {"source": source, "bad_frames": data.bad_frames, "data_dir": root}
    if config_name:
        settings["config"] = config_name(data)
    return builder(**settings)


def _stale(metadata, current: str | None, data) -> str:
    if current and metadata.get("source_fingerprint") != current:
        return "its source has changed"
    source = str(sources.source_path(data))
    if current and metadata.get("source", source) != source:  # kept where the videos stay there
        return "its source has moved"
    if metadata.get("left_out") and data.bad_frames == "error":
        return "bad frames were left out"
    return ""


def _download_and_prepare(builder: tfds.core.DatasetBuilder, root: Path) -> None:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # its notices of unknown sizes
            builder.download_and_prepare()
    except (requests.RequestException, tfds.download.DownloadError) as error:
        raise UserError(
            f"{builder.name} cannot be downloaded ({type(error).__name__}); get it where there is a network, or name a "
            "folder of images: --config.data.dataset=images --config.data.source=FOLDER"
        ) from error
    except (OSError, tf.errors.ResourceExhaustedError) as error:
        if isinstance(error, OSError) and error.errno != errno.ENOSPC:
            raise
        raise UserError(
            f"the disk of {root} is full; --config.data.dir=FOLDER names another"
        ) from error
