"""What a user can set about key frames and clips."""

import dataclasses
import math

from vid_jax.errors import UserError
from vid_jax.key_frames import SELECTORS, Rules

EMBEDDINGS = ("both", "autoencoder", "histogram")
CLIPS = ("none", "copy", "exact")
IMAGE_FORMATS = ("jpg", "png")
AUTO = "auto"

_NUMBERED = ("k_medoids", "uniform")  # selectors
_POSITIVE = ("samples_per_second", "window")
_NOT_NEGATIVE = (
    "number",
    "min_gap",
    "max_count",
    "min_brightness",
    "min_contrast",
    "min_sharpness",
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is looked at, what is kept and what is written.

    Candidates that are darker, flatter or, beside the median of the video, more blurred than the limits are never key
    frames, unless there is nothing else. `Rules` says more about the selector and what follows it to `max_count`.
    """

    samples_per_second: float = 5.0
    window: float = 1.0  # seconds; the sharpest sample of each is a candidate
    embedding: str = "both"  # or autoencoder, histogram
    selector: str = (
        "change_points"  # or last_kept, neighbour, k_medoids, uniform (needs no embedding)
    )
    threshold: float | str = AUTO  # or a distance; of change_points a squared one
    number: int = 0  # of key frames, for k_medoids and uniform
    min_gap: float = 0.0  # seconds
    max_count: int = 0  # 0: any
    min_brightness: float = 12.0  # mean grey value, 0..255
    min_contrast: float = 6.0  # standard deviation of grey values
    min_sharpness: float = 0.02  # variance of the Laplacian, of its median over the video
    image_format: str = "jpg"  # or png
    clips: str = "none"  # or copy: from the codec's key frame before; exact: encoded anew
    overwrite: bool = False  # an output folder that holds something

    @property
    def rules(self) -> Rules:
        """What the selectors see."""
        threshold = None if self.threshold == AUTO else float(self.threshold)
        return Rules(self.selector, threshold, self.number, self.min_gap, self.max_count)


def check(settings: Settings) -> None:
    """Checks all values.

    Raises:
        UserError: names the key, and what it can be.
    """
    choices = {
        "embedding": EMBEDDINGS,
        "selector": SELECTORS,
        "image_format": IMAGE_FORMATS,
        "clips": CLIPS,
    }
    for key, names in choices.items():
        value = getattr(settings, key)
        if value not in names:
            raise UserError(f"{key}={value!r} is unknown; use one of {', '.join(names)}")
    for key in _POSITIVE + _NOT_NEGATIVE:
        value = getattr(settings, key)
        if not math.isfinite(value) or value < 0 or (value == 0 and key in _POSITIVE):
            least = "above 0" if key in _POSITIVE else "0 or more"
            raise UserError(f"{key}={value} makes no sense; it must be {least}")
    if settings.selector in _NUMBERED and settings.number < 1:
        raise UserError(
            f"selector={settings.selector} needs number, how many key frames are wanted"
        )
    if settings.threshold != AUTO and not _is_positive(settings.threshold):
        raise UserError(f"threshold={settings.threshold!r} is neither auto nor a number above 0")


def _is_positive(value: float | str) -> bool:
    try:
        return 0 < float(value) < math.inf
    except ValueError:
        return False
