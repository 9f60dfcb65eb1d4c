"""Training windows that skip frames, so that what moves in them is too fast.

Astrid et al., "Learning Not to Reconstruct Anomalies", BMVC 2021 (arXiv 2110.09742): the skip-frame pseudo-anomalies.
"""

import dataclasses

from vid_jax.input_pipeline.tensorflow_cpu import tf


@dataclasses.dataclass(frozen=True)
class PseudoAnomalies:
    """Which windows skip frames, and how many.

    Attributes:
        probability: of a window.
        steps: from one frame of it to the next; one of them is drawn.
        num_frames: of a window.
    """

    probability: float
    steps: tuple[int, ...]
    num_frames: int

    def place(self, first: tf.Tensor, video: tf.Tensor, draws: tf.Tensor) -> tuple:
        """First frames and steps of windows: moved back, else with a shorter step, to end within their video.

        Args:
            first: (n,) first frames of the windows without skipping.
            video: (n, 2) the first and the last frame of each window's video, at least a window long.
            draws: (n, 2) uniform in [0, 1).
        """
        begin, last = tf.unstack(video, axis=1)
        span = self.num_frames - 1
        drawn = tf.gather(
            tf.constant(self.steps, tf.int64), tf.cast(draws[:, 1] * len(self.steps), tf.int64)
        )
        steps = tf.where(draws[:, 0] < self.probability, drawn, 1)
        steps = tf.minimum(steps, (last - begin) // max(span, 1))
        return tf.minimum(first, last - span * steps), steps
