"""Running a trained workdir on anyone's videos."""

import json
from pathlib import Path

from absl import logging
from ml_collections import ConfigDict

from vid_jax.errors import UserError
from vid_jax.evaluate_lib import restore
from vid_jax.input_pipeline.datasets.video_files import list_videos


def predict(
    config: ConfigDict, workdir: Path, source: Path, output: Path, step: int | None = None
) -> None:
    """Writes a folder of results for every video of `source` into `output`.

    Args:
        config: the workdir's.
        workdir: the trained run.
        source: a video, a folder of images, or a folder of either.
        output: created; a single video's results go into it directly.
        step: of the checkpoint; the best by default.

    Raises:
        UserError: a video cannot be read; the others are done all the same.
    """
    videos = list_videos(source)
    calibration = workdir / "calibration.json"
    if not calibration.exists():
        raise UserError(
            f"{calibration} does not exist; run --mode=evaluate --workdir={workdir} first"
        )
    model = restore(config, workdir, step)
    eval_step = model.eval_step()
    facts = json.loads(calibration.read_text())
    failures = []
    for name, video in videos.items():
        folder = output if len(videos) == 1 else output / name
        try:
            model.task.predict(eval_step, model.batch_size, video, folder, facts)
        except UserError as error:
            failures.append(str(error))
            logging.warning("%s", error)
    if failures:
        raise UserError(f"{len(failures)} of {len(videos)} inputs failed; the first: {failures[0]}")
