"""The joints of hands in a sequence of depth maps as files: a table, JSON, pictures and a video."""

import contextlib
import csv
import dataclasses
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from vid_jax.cameras import Camera
from vid_jax.hand_figures import depth_range, overlay_frame
from vid_jax.hand_joints import Skeleton
from vid_jax.input_pipeline.depth_files import DepthMap
from vid_jax.sequence_figures import action_strip
from vid_jax.video_writer import VideoWriter

_RATE = 10.0  # frames a second of the video
_DECIMALS = 3  # of mm and pixels


class Write(Protocol):
    """Takes number and file of a frame, its depth map, centre (3,) and joints (j, 3) in mm, None without a hand.

    Where there are actions, also their probabilities (c,) after the frame, None where no hand has been seen yet.
    """

    def __call__(
        self,
        number: int,
        file: str,
        depth_map: DepthMap,
        com: np.ndarray | None,
        joints: np.ndarray | None,
        probabilities: np.ndarray | None = None,
    ) -> None: ...


@contextlib.contextmanager
def write_joints(
    output: Path,
    camera: Camera,
    skeleton: Skeleton,
    facts: dict[str, object],
    actions: Sequence[str] = (),
) -> Iterator[Write]:
    """Takes frame by frame what is written into the folder `output` when all went well, and nothing of it else.

    joints.csv and joints.json hold the centre and the joints in mm and their pixels, empty or null where there is no
    hand; JSON also the camera, the joints' names, the bones and `facts`. overlays/NNNNNN.png, by the frames' numbers,
    and overlay.mp4 show them over the depth in the camera's image, and below it the likeliest of the `actions`.
    """
    with _made_aside(output) as folder:
        (folder / "overlays").mkdir()
        with (
            (folder / "joints.csv").open("w", newline="", encoding="utf-8") as table_file,
            (folder / "joints.json").open("w", encoding="utf-8") as json_file,
            VideoWriter(folder / "overlay.mp4") as video,
        ):
            table = csv.writer(table_file)
            table.writerow(_header(skeleton))
            json_file.write(json.dumps(facts | _description(camera, skeleton))[:-1])
            json_file.write(', "frames": [')
            written, span = 0, None

            def write(number, file, depth_map, com, joints, probabilities=None) -> None:
                nonlocal written, span
                depth = _whole_image(depth_map, camera)
                span = span or depth_range(depth)
                pixels = None if joints is None else camera.project(joints)
                table.writerow([number, file, *_cells(com, joints, pixels, skeleton)])
                record = {"frame": number, "file": file, "com": _rounded(com)}
                record |= {"joints_mm": _rounded(joints)}
                record |= {"joints_px": None if joints is None else _rounded(pixels[:, :2])}
                json_file.write(",\n" * bool(written) + json.dumps(record, allow_nan=False))
                centre = None if com is None else camera.project(com)
                said = "no hand found" if com is None else f"{com[2]:.0f} mm away"
                text = f"{file}, frame {number}: {said}".encode("ascii", "replace").decode()
                image = overlay_frame(depth, skeleton, pixels, centre, text, span)
                if actions:
                    strip = action_strip(image.shape[1], actions, probabilities)
                    image = np.concatenate([image, strip])
                png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
                (folder / f"overlays/{number:06d}.png").write_bytes(png.tobytes())
                video.write(image, written / _RATE)
                written += 1

            yield write
            json_file.write("]}\n")


@contextlib.contextmanager
def _made_aside(output: Path) -> Iterator[Path]:
    """A folder whose files are moved into `output` at the end, unless there was an error."""
    partial = output / ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        for path in sorted(path for path in partial.rglob("*") if path.is_file()):
            target = output / path.relative_to(partial)
            target.parent.mkdir(exist_ok=True)
            os.replace(path, target)
    finally:
        shutil.rmtree(partial)


def _header(skeleton: Skeleton) -> list[str]:
    columns = [f"centre_{axis}_mm" for axis in "xyz"]
    for joint in skeleton.joints:
        name = joint.replace(" ", "_")
        columns += [f"{name}_{value}" for value in ("x_mm", "y_mm", "z_mm", "u_px", "v_px")]
    return ["frame", "file", *columns]


def _description(camera: Camera, skeleton: Skeleton) -> dict:
    intrinsics = dataclasses.asdict(camera)
    del intrinsics["y_up"]  # of points as they are published, not of these
    return {
        "axes": "x, u to the right, y, v down, z away from the camera; mm and pixels",
        "camera": intrinsics,
        "joint_names": skeleton.joints,
        "bones": skeleton.bones,
    }


def _cells(com, joints, pixels, skeleton: Skeleton) -> list:
    if com is None:
        return [""] * (3 + 5 * len(skeleton.joints))
    return [*_rounded(com), *_rounded(np.concatenate([joints, pixels[:, :2]], axis=1).ravel())]


def _rounded(values: np.ndarray | None) -> list | None:
    return None if values is None else np.round(values, _DECIMALS).tolist()


def _whole_image(depth_map: DepthMap, camera: Camera) -> np.ndarray:
    """Depth (height, width) of the camera's image, 0 outside the depth map's box."""
    (height, width), left, top = depth_map.depth.shape, depth_map.left, depth_map.top
    image = np.zeros((camera.height, camera.width), np.uint16)
    image[top : top + height, left : left + width] = depth_map.depth
    return image
