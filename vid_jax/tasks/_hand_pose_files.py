"""Hands in anyone's depth maps: found, cropped, run through the network, and written as tables and pictures."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging

from vid_jax.cameras import Camera, find_camera
from vid_jax.errors import UserError
from vid_jax.input_pipeline.depth_files import DepthMap, EmptyDepth, check_size
from vid_jax.input_pipeline.depth_sequences import (
    DEPTH_SUFFIXES,
    DepthFrame,
    list_depth_files,
    list_depth_frames,
    read_centres,
)
from vid_jax.input_pipeline.hand_crop import Crop, crop
from vid_jax.input_pipeline.hand_detector import detect_hand
from vid_jax.tasks._hand_crops import CropSettings
from vid_jax.tasks._joint_files import write_joints
from vid_jax.threads import map_ahead

Outputs = dict[str, np.ndarray]

_CUBE = 200.0  # mm, where neither the training nor the user names one
_WANTED = "wanted is a 16-bit .png, .npy or .bin (MSRA15), or a folder of them for each sequence"


class _View(NamedTuple):
    """A depth map with the crop of its hand, or with what kept it from being found."""

    frame: DepthFrame
    depth_map: DepthMap
    com: np.ndarray | None
    crop: Crop | None
    problem: str = ""


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
        camera: that saw the depth maps, as `find_camera` reads it; the training data's by default.
        com: a file of the hand's centres, as `read_centres` reads it; the hand is detected by default.
        cube: edge in mm of the cube about the hand; by default the training's, or 200.
        refined: the network corrects the centre, which the results then say.

    Raises:
        UserError: a file cannot be used, or no frame has a hand.
    """
    pinhole = find_camera(camera) if camera else settings.camera
    cube = _choose_cube(cube, settings.cube)
    frames = list_depth_frames(source)
    centres = read_centres(Path(com), frames) if com else None
    center = f"file {Path(com).name}" if com else "detector"
    facts = {
        "source": source.name,
        "cube_mm": cube,
        "center": f"{center}, refined" if refined else center,
    }

    def look(frame: DepthFrame, centre: np.ndarray | None) -> _View:
        depth_map = _read(frame, pinhole)
        try:
            if not com:
                centre = detect_hand(depth_map, pinhole, cube)
            elif centre is None:
                raise UserError(f"{com} gives no centre")
            cropped = crop(
                depth_map,
                pinhole,
                centre,
                cube,
                settings.crop_size,
                interpolation=settings.interpolation,
            )
        except UserError as error:
            return _View(frame, depth_map, None, None, str(error))
        return _View(frame, depth_map, centre, cropped)

    views = map_ahead(lambda pair: look(*pair), zip(frames, centres or [None] * len(frames)))
    row, missed = 0, []
    with write_joints(output, pinhole, settings.skeleton, facts) as write:
        while chunk := list(itertools.islice(views, batch_size)):
            found = [view for view in chunk if view.crop]
            poses = iter(())
            if found:
                outputs = eval_step(_batch(found, batch_size, settings, pinhole, cube, row))
                poses = zip(*(outputs[name].astype(np.float64) for name in ("com", "joints")))
            for view in chunk:
                centre, joints = next(poses) if view.crop else (None, None)
                write(view.frame.number, view.frame.path.name, view.depth_map, centre, joints)
                if not view.crop:
                    missed.append(f"{view.frame.path.name}: {view.problem}")
            row += len(chunk)
        if len(missed) == row:
            raise UserError(f"{source}: no hand in any of {row} frames; the first, {missed[0]}")
    if missed:
        message = "%s: no hand in %d of %d frames, whose cells are empty; the first, %s"
        logging.warning(message, source, len(missed), row, missed[0])
    logging.info("%s: %d frames; see %s.", source, row, output)


def _choose_cube(given: float, trained: float) -> float:
    if given < 0:
        raise UserError(f"config.predict.cube={given:g}: must be above 0 mm, or 0 for the default")
    if not (given or trained):
        logging.info("The hand is cropped by a cube of %g mm: config.predict.cube.", _CUBE)
    return given or trained or _CUBE


def _read(frame: DepthFrame, camera: Camera) -> DepthMap:
    try:
        depth_map = frame.read()
    except EmptyDepth:  # as a sensor gives now and then: a frame without a hand
        return DepthMap(np.zeros((camera.height, camera.width), np.uint16))
    try:
        check_size(depth_map, camera, str(frame.path))
    except UserError as error:
        raise UserError(f"{error}: --camera=NAME or fx,fy,cx,cy,WIDTHxHEIGHT") from error
    return depth_map


def _batch(
    views: Sequence[_View],
    batch_size: int,
    settings: CropSettings,
    camera: Camera,
    cube: float,
    row: int,
) -> Outputs:
    """A batch whose first examples are the views' and whose others repeat one, masked."""
    padded = [*views, *[views[0]] * (batch_size - len(views))]
    crops = [view.crop for view in padded]
    scale, offset = _seen_by(
        settings.camera,
        camera,
        np.array([c.scale for c in crops]),
        np.array([c.offset for c in crops]),
    )
    values = {
        "depth": np.stack([c.depth for c in crops]),
        "joints": 0,
        "com": np.stack([view.com for view in padded]),
        "cube": cube,
        "scale": scale,
        "offset": offset,
        "index": row + np.arange(batch_size),
        "epoch": 0,
    }
    batch = {
        name: np.broadcast_to(values[name], spec.shape).astype(spec.dtype)
        for name, spec in settings.batch_spec(batch_size).items()
    }
    return batch | {"mask": (np.arange(batch_size) < len(views)).astype(np.float32)}


def _seen_by(
    trained: Camera, camera: Camera, scale: np.ndarray, offset: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset (b, 2) from pixels of the training's camera to those of crops, from those of another camera.

    The network projects by the camera that it was trained with.
    """
    ratio = np.array([camera.fx / trained.fx, camera.fy / trained.fy])
    shift = np.array([camera.cx, camera.cy]) - ratio * np.array([trained.cx, trained.cy])
    return scale * ratio, offset + scale * shift
