"""TensorBoard event files, through CLU. Importing this imports TensorFlow."""

from pathlib import Path

from clu import metric_writers
from ml_collections import ConfigDict

from vid_jax.workdir import flatten


class SummaryWriter:
    """Writes scalars, images, histograms, the config as text and hyper-parameters to a workdir."""

    def __init__(self, workdir: Path):
        self._writer = metric_writers.SummaryWriter(str(workdir))

    def config(self, config: ConfigDict) -> None:
        """The config as a JSON text, and its scalar values as hyper-parameters."""
        self._writer.write_texts(0, {"config": f"```\n{config.to_json(indent=2)}\n```"})
        scalars = {
            key: value
            for key, value in flatten(config.to_dict()).items()
            if isinstance(value, (bool, int, float, str))
        }
        self._writer.write_hparams(scalars)
        self._writer.flush()

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Named numbers at a step."""
        self._writer.write_scalars(step, values)
        self._writer.flush()

    def summaries(self, step: int, summaries: dict) -> None:
        """Images in [0, 1] and histograms, as a task's `summaries` returns them."""
        self._writer.write_images(step, summaries["images"])
        self._writer.write_histograms(step, summaries["histograms"])
        self._writer.flush()

    def close(self) -> None:
        """Flushes and closes the file."""
        self._writer.close()
