"""Data sets of hands in depth maps by name, and the checks of their keys of `config.data`."""

from collections.abc import Callable

from vid_jax.input_pipeline.datasets import fhad_files, icvl_files, msra15_files, nyu_files
from vid_jax.input_pipeline.hand_augmentation import MODES
from vid_jax.input_pipeline.hand_crop import CROPS
from vid_jax.input_pipeline.hand_protocols import PROTOCOLS

# By name, the check of a source's layout from its path and `config.data`; None without a source.
DATASETS: dict[str, Callable | None] = {
    "fhad": lambda source, _: fhad_files.find_root(source),
    "hands": None,
    "hands_small": None,
    "hands_gestures": None,
    "icvl": lambda source, _: icvl_files.find_root(source),
    "msra15": lambda source, _: msra15_files.find_root(source),
    "nyu": lambda source, _: nyu_files.find_root(source),
}

# How the hand's centre is found: at the reference joint of the ground truth; as the centre of mass of the depth in the
# cube about that joint; by the detector, from the depth map alone.
CENTERS = ("joint", "depth", "detector")
VALIDATIONS = ("fraction", "subject", "test", "none")


def check_values(data, require: Callable[[bool, str, str], None]) -> None:
    """Requires of each key of `data` what the crops and the split need."""
    protocols = PROTOCOLS[skeleton_name(data.dataset)]
    require(data.protocol in ("", *protocols), "protocol", " or ".join(protocols))
    require(data.cube >= 0, "cube", "an edge in mm, or 0 for the data set's own")
    require(not 0 < data.cube < 10, "cube", "in mm, not in metres")
    require(data.crop in CROPS, "crop", "one of " + ", ".join(CROPS))
    require(data.interpolation in ("nearest", "bilinear"), "interpolation", "nearest or bilinear")
    require(data.samples_per_epoch >= 0, "samples_per_epoch", "at least 1, or 0 for all crops")
    require(data.center in CENTERS, "center", "one of " + ", ".join(CENTERS))
    require(data.validation in VALIDATIONS, "validation", "one of " + ", ".join(VALIDATIONS))
    require(0 < data.validation_fraction < 1, "validation_fraction", "between 0 and 1")
    for key in ("augmentation", "prior_augmentation"):
        known = all(set(mode.split("+")) <= {*MODES} for mode in data[key])
        wanted = f"a list of {', '.join(MODES)} or of some of them joined by +, as in rot+com"
        require(bool(data[key]) and known, key, wanted)
    require(data.draws in ("fresh", "fixed"), "draws", "fresh (in each epoch) or fixed")
    for key in ("shift_sigma", "rotation_range", "scale_sigma"):
        require(data[key] >= 0, key, "at least 0")


def skeleton_name(dataset: str) -> str:
    """The name by which `hand_joints.SKELETONS` and `cameras.CAMERAS` know the data set."""
    return dataset.partition("_")[0]
