"""Hands in anyone's depth maps: read, found and cropped, one frame after another, and put into batches."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging

from vid_jax.cameras import Camera, find_camera
from vid_jax.errors import UserError
from vid_jax.input_pipeline.depth_files import DepthMap, EmptyDepth, check_size
from vid_jax.input_pipeline.depth_sequences import DepthFrame, list_depth_frames, read_centres
from vid_jax.input_pipeline.hand_crop import Crop, crop
from vid_jax.input_pipeline.hand_detector import detect_hand
from vid_jax.tasks._hand_crops import CropSettings
from vid_jax.threads import map_ahead

_CUBE = 200.0  # mm, where neither the training nor the user names one


class View(NamedTuple):
    """A depth map with the crop of its hand, or with what kept it from being found."""

    frame: DepthFrame
    depth_map: DepthMap
    com: np.ndarray | None
    crop: Crop | None
    problem: str = ""


class HandViews:
    """The hands of a sequence of depth maps, in the order of the frames; iterate over its `View`s.

    Args:
        source: a folder of depth maps, or one file.
        settings: of the training.
        camera: that saw the depth maps, as `find_camera` reads it; the training data's by default.
        com: a file of the hand's centres, as `read_centres` reads it; the hand is detected by default.
        cube: edge in mm of the cube about the hand; by default the training's, or 200.

    Attributes:
        camera: as found.
        facts: cube and centre, in words for a result's reader.

    Raises:
        UserError: a file cannot be used.
    """

    def __init__(
        self,
        source: Path,
        settings: CropSettings,
        camera: str = "",
        com: str = "",
        cube: float = 0.0,
    ):
        self.camera = find_camera(camera) if camera else settings.camera
        self._cube = _choose_cube(cube, settings.cube)
        self._settings, self._com = settings, com
        self._frames = list_depth_frames(source)
        self._centres = read_centres(Path(com), self._frames) if com else None
        center = f"file {Path(com).name}" if com else "detector"
        self.facts = {"source": source.name, "cube_mm": self._cube, "center": center}

    def __iter__(self) -> Iterator[View]:
        pairs = zip(self._frames, self._centres or [None] * len(self._frames))
        return map_ahead(lambda pair: self._look(*pair), pairs)

    def read(self, frame: DepthFrame) -> DepthMap:
        """A depth map of the camera's; one without any depth, as a sensor gives now and then, is all 0.

        Raises:
            UserError: it cannot be read, or is not of the camera's size.
        """
        try:
            depth_map = frame.read()
        except EmptyDepth:
            return DepthMap(np.zeros((self.camera.height, self.camera.width), np.uint16))
        try:
            check_size(depth_map, self.camera, str(frame.path))
        except UserError as error:
            raise UserError(f"{error}: --camera=NAME or fx,fy,cx,cy,WIDTHxHEIGHT") from error
        return depth_map

    def batch(self, views: Sequence[View], size: int, row: int) -> dict[str, np.ndarray]:
        """A batch of crops, the first of which are the views' and the others repeat one, masked.

        Args:
            views: at least one and at most `size`, all with crops.
            size: of the batch.
            row: number of the first view.
        """
        padded = [*views, *[views[0]] * (size - len(views))]
        crops = [view.crop for view in padded]
        scale, offset = _seen_by(
            self._settings.camera,
            self.camera,
            np.array([c.scale for c in crops]),
            np.array([c.offset for c in crops]),
        )
        values = {
            "depth": np.stack([c.depth for c in crops]),
            "joints": 0,
            "com": np.stack([view.com for view in padded]),
            "cube": self._cube,
            "scale": scale,
            "offset": offset,
            "action": -1,
            "index": row + np.arange(size),
            "epoch": 0,
        }
        batch = {
            name: np.broadcast_to(values[name], spec.shape).astype(spec.dtype)
            for name, spec in self._settings.batch_spec(size).items()
        }
        return batch | {"mask": (np.arange(size) < len(views)).astype(np.float32)}

    def _look(self, frame: DepthFrame, centre: np.ndarray | None) -> View:
        depth_map = self.read(frame)
        try:
            if not self._com:
                centre = detect_hand(depth_map, self.camera, self._cube)
            elif centre is None:
                raise UserError(f"{self._com} gives no centre")
            cropped = crop(
                depth_map,
                self.camera,
                centre,
                self._cube,
                self._settings.crop_size,
                interpolation=self._settings.interpolation,
            )
        except UserError as error:
            return View(frame, depth_map, None, None, str(error))
        return View(frame, depth_map, centre, cropped)


class Missed:
    """Counts the frames without a hand, which share one warning."""

    def __init__(self, source: Path):
        self._source, self._frames, self._missed = source, 0, []

    def count(self, view: View) -> None:
        """Takes the next frame."""
        self._frames += 1
        if not view.crop:
            self._missed.append(f"{view.frame.path.name}: {view.problem}")

    def check(self) -> None:
        """Says how many frames have no hand.

        Raises:
            UserError: none has one.
        """
        if len(self._missed) == self._frames:
            raise UserError(
                f"{self._source}: no hand in any of {self._frames} frames; the first, {self._missed[0]}"
            )
        if self._missed:
            message = "%s: no hand in %d of %d frames, whose cells are empty; the first, %s"
            sizes = len(self._missed), self._frames
            logging.warning(message, self._source, *sizes, self._missed[0])


def _choose_cube(given: float, trained: float) -> float:
    if given < 0:
        raise UserError(f"config.predict.cube={given:g}: must be above 0 mm, or 0 for the default")
    if not (given or trained):
        logging.info("The hand is cropped by a cube of %g mm: config.predict.cube.", _CUBE)
    return given or trained or _CUBE


def _seen_by(
    trained: Camera, camera: Camera, scale: np.ndarray, offset: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset (b, 2) from pixels of the training's camera to those of crops, from those of another camera.

    The network projects by the camera that it was trained with.
    """
    ratio = np.array([camera.fx / trained.fx, camera.fy / trained.fy])
    shift = np.array([camera.cx, camera.cy]) - ratio * np.array([trained.cx, trained.cy])
    return scale * ratio, offset + scale * shift
