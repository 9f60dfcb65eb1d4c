"""Running a system that predicts the next frame on anyone's video; its `eval_step` is that of `_frame_prediction`."""

import collections
import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.frame_files import resize_frame
from vid_jax.input_pipeline.video_reader import iterate_video
from vid_jax.metrics.prediction_scores import STATISTICS, error_statistics
from vid_jax.tasks._growing_array import GrowingArray
from vid_jax.tasks._scored_video import ScoredFrame, calibration_of, write_scores

Outputs = dict[str, np.ndarray]


def calibrate(outputs: Iterable[Outputs], score: str) -> dict:
    """What is known of the scores and errors of training frames, to read a running score by.

    Of each window the second half counts: in the first the network has seen less than it will have of a video.
    """
    scores, errors = [], []
    column = STATISTICS.index(score)
    for output in outputs:
        for error in output["error"]:
            seen = error[max(1, len(error) // 2) :]
            scores.extend(error_statistics(np.square(seen))[:, column])
            errors.extend(np.abs(seen).mean(-1).max((1, 2)))
    return calibration_of(scores, errors) | {"score": score}


def scored_frames(
    eval_step: Callable[[Outputs], Outputs],
    batch_size: int,
    source: Path,
    window: tuple[int, int, int, int],
    overlap: int,
    resize: str,
    score: str,
    kept: GrowingArray | None,
) -> Iterator[ScoredFrame]:
    """Scores a video's frames in windows, each but the first beginning with the last `overlap` frames of another.

    Args:
        window: time, height, width, channel.
        kept: takes the `output` of every frame.

    Raises:
        UserError: the video cannot be read.
    """
    num_frames, *frame_size, channels = window
    column = STATISTICS.index(score)
    frames = collections.deque(maxlen=num_frames)  # as the model is fed them
    waiting = []  # frames as they came, with their times
    windows = []  # and how many of their frames are new

    def flush():
        batch = np.zeros((batch_size, *window), np.uint8)
        for i, (video, _) in enumerate(windows):
            batch[i, : len(video)] = video  # what follows a short one changes nothing before it
        mask = (np.arange(batch_size) < len(windows)).astype(np.float32)
        outputs = eval_step({"video": batch, "mask": mask})
        taken = iter(waiting)
        for i, (video, new) in enumerate(windows):
            if kept:
                kept.append(outputs["output"][i, len(video) - new : len(video)])
            for t in range(len(video) - new, len(video)):
                error = outputs["error"][i, t]
                value = error_statistics(np.square(error)[None])[0, column] if t else None
                yield *next(taken), value, np.abs(error).mean(-1) if t else None
        waiting.clear()
        windows.clear()

    new, wanted = 0, num_frames
    for time, frame in iterate_video(source):
        frames.append(resize_frame(frame, tuple(frame_size), channels, resize))
        waiting.append((time, frame))
        new += 1
        if new == wanted:
            windows.append((np.stack(frames), new))
            new, wanted = 0, num_frames - overlap
            if len(windows) == batch_size:
                yield from flush()
    if new:
        windows.append((np.stack(frames), new))
    if windows:
        yield from flush()


def predict(
    eval_step: Callable[[Outputs], Outputs],
    batch_size: int,
    source: Path,
    output: Path,
    calibration: dict,
    window: tuple[int, int, int, int],
    overlap: int,
    resize: str,
    score: str,
    output_mode: str,
) -> None:
    """Scores a video, frame by frame, holding no more of it than a batch of windows.

    Writes what `write_scores` does and, if an output mode is set, output_<mode>.npy (frames, ...).

    Raises:
        UserError: the video cannot be read, or the calibration is of another score.
    """
    if calibration["score"] != score:
        raise UserError(
            f"calibration.json is of eval.score={calibration['score']}, not of {score}; run --mode=evaluate with "
            f"--config.eval.score={score} first"
        )
    output.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        kept = None
        if output_mode:
            kept = stack.enter_context(GrowingArray(output / f"output_{output_mode}.npy"))
        frames = scored_frames(eval_step, batch_size, source, window, overlap, resize, score, kept)
        write_scores(frames, source.name, output, calibration)
