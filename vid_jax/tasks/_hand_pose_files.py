"""Hands in anyone's depth maps: run through a network of poses, and written as tables and pictures."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax.errors import UserError
from vid_jax.input_pipeline.depth_sequences import DEPTH_SUFFIXES, list_depth_files
from vid_jax.tasks._hand_crops import CropSettings
from vid_jax.tasks._hand_views import HandViews, Missed
from vid_jax.tasks._joint_files import write_joints

Outputs = dict[str, np.ndarray]

_WANTED = "wanted is a 16-bit .png, .npy or .bin (MSRA15), or a folder of them for each sequence"


def inputs(source: Path) -> dict[str, Path]:
    """Sequences of depth maps by name: a file, a folder of files, or a folder that holds such folders at any depth.

    Raises:
        UserError: there is none, or two would have the same name.
    """
    if not source.exists():
        raise UserError(f"{source} does not exist")
    if source.is_file():
        if source.suffix.lower() not in DEPTH_SUFFIXES:
            raise UserError(f"{source} is no depth map: {_WANTED}")
        return {source.name: source}
    if list_depth_files(source):
        return {source.name: source}
    sequences: dict[str, Path] = {}
    for folder in sorted(path for path in source.rglob("*") if path.is_dir()):
        parts = folder.relative_to(source).parts
        if any(part.startswith(".") for part in parts) or not list_depth_files(folder):
            continue
        name = "_".join(parts)
        if name in sequences:
            raise UserError(f"{folder} and {sequences[name]} would both be {name}; rename one")
        sequences[name] = folder
    if not sequences:
        raise UserError(f"{source} holds no depth maps: {_WANTED}")
    return sequences


def predict(
    eval_step: Callable[[Outputs], Outputs],
    batch_size: int,
    source: Path,
    output: Path,
    settings: CropSettings,
    camera: str = "",
    com: str = "",
    cube: float = 0.0,
    refined: bool = False,
) -> None:
    """Finds the joints of the hand in every depth map of a sequence, holding no more of it than a batch.

    Writes what `write_joints` does; a frame without a hand has no joints, and all such frames share one warning.

    Args:
        eval_step: from a batch of crops to `joints` (b, j, 3) and `com` (b, 3), the centre that was used, in mm.
        batch_size: of its batches.
        source: one of `inputs`.
        output: a folder, made if need be.
        settings: of the training.
        camera, com, cube: see `HandViews`.
        refined: the network corrects the centre, which the results then say.

    Raises:
        UserError: a file cannot be used, or no frame has a hand.
    """
    views = HandViews(source, settings, camera, com, cube)
    facts = views.facts | {"center": views.facts["center"] + ", refined" * refined}
    rest, row, missed = iter(views), 0, Missed(source)
    with write_joints(output, views.camera, settings.skeleton, facts) as write:
        while chunk := list(itertools.islice(rest, batch_size)):
            found = [view for view in chunk if view.crop]
            poses = iter(())
            if found:
                outputs = eval_step(views.batch(found, batch_size, row))
                poses = zip(*(outputs[name].astype(np.float64) for name in ("com", "joints")))
            for view in chunk:
                centre, joints = next(poses) if view.crop else (None, None)
                write(view.frame.number, view.frame.path.name, view.depth_map, centre, joints)
                missed.count(view)
            row += len(chunk)
        missed.check()
    logging.info("%s: %d frames; see %s.", source, row, output)
