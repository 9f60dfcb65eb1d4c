"""Generated images as a TensorFlow data set: no download, no source."""

import cv2
import numpy as np
import tensorflow_datasets as tfds

from vid_jax.input_pipeline.datasets.image_builder import ImageBuilder

COUNT = 640
SIZE = (144, 256)  # height, width
_SEED = 20210801
_MOST_SHAPES = 9


class GeneratedImages(ImageBuilder):
    """Soft-edged shapes with textures before a textured ground, whose detail falls off as that of photographs does.

    Args:
        source, bad_frames: ignored; the version stands for what the data are made from.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return self._image_info(f"{COUNT} generated images of {SIZE[0]}x{SIZE[1]}.")

    def _generate_examples(self):
        for number in range(COUNT):
            name = f"{number:04d}.png"
            bgr = cv2.cvtColor(draw_image(number), cv2.COLOR_RGB2BGR)
            yield name, {"name": name, "image": cv2.imencode(".png", bgr)[1].tobytes()}


def draw_image(number: int) -> np.ndarray:
    """The image of a number, (144, 256, 3) uint8 RGB."""
    rng = np.random.default_rng([_SEED, number])
    image = _texture(rng)
    for _ in range(rng.integers(2, _MOST_SHAPES + 1)):
        visible = _shape(rng)[..., None]
        image += visible * (_texture(rng) - image)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _texture(rng: np.random.Generator) -> np.ndarray:
    """A colour, a shade that runs across it, and noise whose amplitude falls with its frequency."""
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, n) for n in SIZE), indexing="ij")
    angle = rng.uniform(0, 2 * np.pi)
    shade = np.cos(angle) * rows + np.sin(angle) * columns
    frequency = np.hypot(np.fft.fftfreq(SIZE[0])[:, None], np.fft.rfftfreq(SIZE[1]) * 16 / 9)
    amplitude = np.maximum(frequency, 1 / SIZE[0]) ** -rng.uniform(1.2, 2.0)
    spectrum = amplitude * np.exp(2j * np.pi * rng.uniform(size=frequency.shape))
    noise = np.fft.irfft2(spectrum, SIZE)
    noise *= rng.uniform(4, 30) / noise.std()
    grey = rng.uniform(0, 60) * shade + noise
    return rng.uniform(20, 235, 3) + grey[..., None] * rng.uniform(0.6, 1.2, 3)


def _shape(rng: np.random.Generator) -> np.ndarray:
    """How much is seen, (h, w) in [0, 1], of an ellipse or a polygon with a more or less soft edge."""
    height, width = SIZE
    mask = np.zeros(SIZE, np.float32)
    middle = rng.uniform((0, 0), (width, height))
    reach = rng.uniform(8, height / 2, 2)
    if rng.random() < 0.5:
        axes, turn = tuple(map(int, reach)), rng.uniform(0, 180)
        cv2.ellipse(mask, tuple(map(int, middle)), axes, turn, 0, 360, 1, -1)
    else:
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
        corners = middle + reach * np.column_stack([np.cos(angles), np.sin(angles)])
        cv2.fillPoly(mask, [np.int32(corners)], 1)
    return cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 3))
