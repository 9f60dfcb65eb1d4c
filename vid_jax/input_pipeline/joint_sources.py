"""Data sets of joint sequences by name, and the checks of their keys of `config.data`."""

from collections.abc import Callable

from vid_jax.hand_joints import SKELETONS, Skeleton
from vid_jax.input_pipeline.datasets import fhad_files, fhad_joint_files, hand_gestures
from vid_jax.input_pipeline.hand_protocols import PROTOCOLS

# By name, the check of a source's layout from its path and `config.data`; None without a source.
DATASETS: dict[str, Callable | None] = {
    "fhad_joints": lambda source, _: fhad_joint_files.find_root(source),
    "gestures": None,
}

# The classes of each data set of hands that act, of joints and of depth.
ACTIONS: dict[str, tuple[str, ...]] = {
    "fhad": fhad_files.ACTIONS,
    "fhad_joints": fhad_files.ACTIONS,
    "gestures": hand_gestures.ACTIONS,
    "hands_gestures": hand_gestures.ACTIONS,
}
CUTS = ("end", "start", "both")
VALIDATIONS = ("subject", "fraction", "test", "none")

_HANDS = {"fhad_joints": "fhad", "gestures": "hands"}  # by which the camera and joints are known


def check_values(data, require: Callable[[bool, str, str], None]) -> None:
    """Requires of each key of `data` what the sequences, the split and their augmentation need."""
    protocols = protocols_of(data.dataset)
    require(data.protocol in ("", *protocols), "protocol", " or ".join(protocols))
    require(data.validation in VALIDATIONS, "validation", "one of " + ", ".join(VALIDATIONS))
    require(0 < data.validation_fraction < 1, "validation_fraction", "between 0 and 1")
    require(data.samples_per_epoch >= 0, "samples_per_epoch", "at least 1, or 0 for all sequences")
    require(data.draws in ("fresh", "fixed"), "draws", "fresh (in each epoch) or fixed")
    for key in ("rotation_range", "scale_sigma", "noise_sigma"):
        require(data[key] >= 0, key, "at least 0")
    for key in ("time_warp", "crop"):
        require(0 <= data[key] < 1, key, "at least 0 and below 1")
    check_lengths(data, require)


def check_lengths(data, require: Callable[[bool, str, str], None]) -> None:
    """Requires of the keys of `data` that are about whole sequences what batches of them need."""
    require(data.max_length >= 0, "max_length", "at least 1, or 0 for whole sequences")
    require(data.cut in CUTS, "cut", "one of " + ", ".join(CUTS))
    ascending = all(a < b for a, b in zip((0, *data.lengths), data.lengths))
    require(bool(data.lengths) and ascending, "lengths", "ascending numbers of frames")
    require(data.pool >= 1, "pool", "at least 1")


def protocols_of(dataset: str) -> tuple[str, ...]:
    """The protocols of a data set of sequences, the first is the default."""
    return PROTOCOLS["fhad"] if dataset.startswith("fhad") else ("published",)


def hands_name(dataset: str) -> str:
    """The name by which `hand_protocols`, `hand_joints` and `cameras` know the data set's hands."""
    return _HANDS.get(dataset, dataset.partition("_")[0])


def skeleton_of(dataset: str) -> Skeleton:
    return SKELETONS[hands_name(dataset)]
