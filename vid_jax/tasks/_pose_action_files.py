"""Joints and actions of hands in anyone's depth maps, frame by frame."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from vid_jax.input_pipeline.sequence_lengths import padded_length
from vid_jax.tasks import _hand_pose_files
from vid_jax.tasks._action_results import spoken
from vid_jax.tasks._action_tables import Running, write_actions
from vid_jax.tasks._hand_crops import CropSettings
from vid_jax.tasks._hand_views import HandViews, Missed, View
from vid_jax.tasks._joint_files import write_joints

_PACKING = 64  # crops; as of training, so that devices divide them

Outputs = dict[str, Any]
EvalStep = Callable[[dict[str, Any]], Outputs]

inputs = _hand_pose_files.inputs


def predict(
    eval_step: EvalStep,
    batch_size: int,
    source: Path,
    output: Path,
    settings: CropSettings,
    actions: Sequence[str],
    initial_state: Any = None,
    lengths: Sequence[int] = (),
    camera: str = "",
    com: str = "",
    cube: float = 0.0,
) -> None:
    """Finds joints and action probabilities for every frame of a sequence of depth maps.

    Writes what `write_joints` and `write_actions` do. A frame without a hand has no joints, and the actions see nothing
    of it; all such frames share one warning.

    Batches are those of evaluation, {"frames": {...}, "positions" (b, t), "length", "action" (-1), "index", "epoch",
    "mask" (b,)}; the rows are all of one sequence, the first is real. With `initial_state` 64 frames are in memory at a
    time: t = 64, and batches have "state" too, what the last batch's outputs gave as `state`, to go on from. Without it
    the crops of the sequence are one batch, padded to one of `lengths`.

    Args:
        eval_step: from a batch to `joints` (b, t, j, 3) mm, `log_probs` (b, c) and, where the recogniser is causal,
            `frame_log_probs` (b, t, c), and with a state in the batch `state` after the last valid frame.
        batch_size: b.
        source: one of `inputs`.
        output: a folder, made if need be.
        settings: of the training.
        actions: names of the classes.
        initial_state: arrays (b, ...) in dicts and tuples; None where the model needs the sequence as a whole.
        lengths: config.data.lengths.
        camera, com, cube: see `HandViews`.

    Raises:
        UserError: a file cannot be used, or no frame has a hand.
    """
    views = HandViews(source, settings, camera, com, cube)
    if initial_state is None:
        found = _as_a_whole(eval_step, batch_size, views, lengths)
    else:
        found = _streamed(eval_step, batch_size, views, initial_state)
    missed, names, running = Missed(source), [], []
    said = spoken(actions)
    with write_joints(output, views.camera, settings.skeleton, views.facts, said) as write:
        for view, joints, shares in found:
            frame = view.frame
            write(frame.number, frame.path.name, view.depth_map, view.com, joints, shares)
            missed.count(view)
            names.append(frame.number)
            running.append(shares)
        missed.check()
    unknown = np.full(len(actions), np.nan)
    shares = np.stack([unknown if s is None else s for s in running])
    course = Running(names, np.arange(1, len(names) + 1), shares)
    write_actions(output, source.name, len(names), actions, shares[-1], course)
    logging.info("%s: %d frames; see %s.", source, len(names), output)


def _streamed(eval_step: EvalStep, batch_size: int, views: HandViews, state):
    """(view, joints or None, probabilities or None) of each frame, some at a time."""
    rest, row, shares = iter(views), 0, None
    while chunk := list(itertools.islice(rest, _PACKING)):
        seen = [view for view in chunk if view.crop]
        poses = iter(())
        if seen:
            batch = _batch(views, seen, _PACKING, batch_size, row)
            outputs = eval_step(batch | {"state": state})
            state = outputs["state"]
            poses = zip(*_of_frames(outputs, len(seen)))
        for view in chunk:
            joints = None
            if view.crop:
                joints, shares = next(poses)
            yield view, joints, shares
        row += len(chunk)


def _as_a_whole(eval_step: EvalStep, batch_size: int, views: HandViews, lengths: Sequence[int]):
    """The same after all crops have been seen; depth maps are read once more."""
    every = [view._replace(depth_map=None) for view in views]
    seen = [view for view in every if view.crop]
    poses, shares = iter(()), None
    if seen:
        length = padded_length(len(seen), lengths)
        outputs = eval_step(_batch(views, seen, length, batch_size, 0))
        poses = zip(*_of_frames(outputs, len(seen)))
    for view in every:
        joints = None
        if view.crop:
            joints, shares = next(poses)
        yield view._replace(depth_map=views.read(view.frame)), joints, shares


def _batch(
    views: HandViews, seen: Sequence[View], length: int, batch_size: int, row: int
) -> dict[str, Any]:
    """A batch of one sequence of views with crops, in each of its rows."""
    frames = views.batch(seen, -(-len(seen) // _PACKING) * _PACKING, row)
    positions = np.zeros((batch_size, length), np.int32)
    positions[:, : len(seen)] = np.arange(len(seen))
    return {
        "frames": frames,
        "positions": positions,
        "length": np.full(batch_size, len(seen), np.int32),
        "action": np.full(batch_size, -1, np.int32),
        "index": np.arange(batch_size, dtype=np.int32),
        "epoch": np.zeros(batch_size, np.int32),
        "mask": (np.arange(batch_size) == 0).astype(np.float32),
    }


def _of_frames(outputs: Outputs, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Joints (t, j, 3) and probabilities (t, c) of the first sequence's frames, of the last those of the whole."""
    last = outputs["log_probs"][0]
    frames = outputs["frame_log_probs"][0] if "frame_log_probs" in outputs else last[None]
    log_probs = np.broadcast_to(frames[:length], (length, len(last))).astype(np.float64)
    log_probs[-1] = last
    return outputs["joints"][0, :length].astype(np.float64), np.exp(log_probs)
