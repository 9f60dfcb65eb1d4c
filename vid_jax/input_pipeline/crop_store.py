"""The hands of a data set, found and cropped once, in files that are read without loading them.

`<data dir>/crop_store/<data set>-<settings>/` holds `crops.bin` (frames, size, size) uint16 mm, `fields.npz` with
what is known of each frame, `raw.npz` with a few depth maps to look at, and `index.json`.
"""

import functools
import json
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax.cameras import CAMERAS, Camera
from vid_jax.errors import UserError
from vid_jax.hand_joints import SKELETONS
from vid_jax.input_pipeline.depth_files import DECODERS, DepthMap
from vid_jax.input_pipeline.hand_crop import crop
from vid_jax.input_pipeline.hand_detector import com_in_cube, detect_hand
from vid_jax.input_pipeline.hand_sources import skeleton_name
from vid_jax.input_pipeline.records import iterate_records
from vid_jax.input_pipeline.stores import open_store, read_rows
from vid_jax.threads import map_ahead

_LAYOUT = 1  # of the files; another number makes every older store stale
_RAW_EXAMPLES = 4
_MEND = "leave such frames out: --config.data.bad_frames=skip"


class CropStore:
    """An open crop store.

    Attributes:
        crops: (frames, size, size) uint16 mm, memory-mapped.
        fields: arrays (frames, ...): sequence, subject, split, frame, action, joints in mm, and of the crop com in mm,
            cube in mm, scale and offset (crop pixel = scale * (u, v) + offset).
        name, fingerprint: of the data set, and of what the store was made from.
        left_out: what is wrong with each frame that was left out.
        raw: a few depth maps as they came: row, (h, w) uint16 mm, its column and row in the camera's image.
        camera, skeleton: of the data set.
    """

    def __init__(self, folder: Path, dataset: str):
        index = json.loads((folder / "index.json").read_text())
        self.name: str = index["name"]
        self.fingerprint: str = index["fingerprint"]
        self.left_out: list[str] = index["left_out"]
        self.folder = folder
        self.crops = np.memmap(folder / "crops.bin", np.uint16, "r", shape=tuple(index["shape"]))
        with np.load(folder / "fields.npz") as fields:
            self.fields = dict(fields)
        with np.load(folder / "raw.npz") as raw:
            self.raw = [
                (int(row), raw[row], tuple(corner))
                for row, corner in zip(index["raw_rows"], index["raw_corners"], strict=True)
            ]
        self.camera: Camera = CAMERAS[skeleton_name(dataset)]
        self.skeleton = SKELETONS[skeleton_name(dataset)]

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Crops (len(rows), size, size) uint16 mm, read past the memory map."""
        crops = np.empty((len(rows), *self.crops.shape[1:]), np.uint16)
        return read_rows(self.folder / "crops.bin", rows, self.crops[0].nbytes, crops)


def open_crop_store(builder, config) -> CropStore:
    """Opens the crop store of a prepared data set, built first where it is missing or stale.

    Raises:
        UserError: a depth map or its label cannot be used, or the disk is too small.
    """
    data = config.data
    settings = {key: data[key] for key in ("crop_size", "cube", "crop", "interpolation", "center")}
    total = sum(split.num_examples for split in builder.info.splits.values())
    folder = open_store(
        builder,
        data,
        "crop_store",
        settings | {"layout": _LAYOUT},
        ("crops.bin", np.uint16),
        lambda: (2 * total * data.crop_size**2, f"{total:,} crops"),
        lambda folder: _write(builder, folder, data, total),
    )
    store = CropStore(folder, data.dataset)
    if store.left_out and data.bad_frames == "error":
        raise UserError(f"{store.left_out[0]}; {_MEND}")
    return store


def find_center(depth_map, joints: np.ndarray, center: str, cube: float, dataset: str):
    """The centre (3,) in mm of the hand, by `config.data.center`.

    Raises:
        UserError: there is none.
    """
    camera, skeleton = CAMERAS[skeleton_name(dataset)], SKELETONS[skeleton_name(dataset)]
    if center == "detector":
        return detect_hand(depth_map, camera, cube)
    reference = joints[skeleton.reference].astype(np.float64)
    return reference if center == "joint" else com_in_cube(depth_map, camera, reference, cube)


def _write(builder, folder: Path, data, total: int) -> dict:
    """Writes all but the index, and returns what it says of the crops."""
    records = (
        record for split in builder.info.splits for record in iterate_records(builder, split)
    )
    load = functools.partial(_load, DECODERS[builder.info.metadata["depth_format"]], data)
    kept, left_out, raw = [], [], {}
    with open(folder / "crops.bin", "wb") as file:
        for row, loaded in enumerate(map_ahead(load, records)):
            if isinstance(loaded, str):
                logging.warning("left out: %s", loaded)
                left_out.append(loaded)
            else:
                depth_map, cropped, known = loaded
                file.write(np.ascontiguousarray(cropped, np.uint16))
                if row % max(1, total // _RAW_EXAMPLES) == 0:
                    raw[str(len(kept))] = depth_map
                kept.append(known)
            logging.log_every_n_seconds(logging.INFO, "%d of %d crops stored", 10, row, total)
    if not kept:
        raise UserError(f"{builder.info.full_name}: no frame could be used")
    fields = {key: np.array([known[key] for known in kept]) for key in kept[0]}
    for key in ("joints", "com", "cube", "scale", "offset"):
        fields[key] = fields[key].astype(np.float32)
    np.savez(folder / "fields.npz", **fields)
    np.savez(folder / "raw.npz", **{row: depth_map.depth for row, depth_map in raw.items()})
    return {
        "shape": (len(kept), data.crop_size, data.crop_size),
        "left_out": left_out,
        "raw_rows": list(raw),
        "raw_corners": [(depth_map.left, depth_map.top) for depth_map in raw.values()],
    }


def _load(decode, data, record: dict) -> tuple[DepthMap, np.ndarray, dict] | str:
    """Depth map, crop and fields of a record; what is wrong with it where it may be left out."""
    joints, cube = record["joints"], data.cube or float(record["cube"])
    camera = CAMERAS[skeleton_name(data.dataset)]
    try:
        depth_map = decode(record["depth"])._replace(
            left=int(record["left"]), top=int(record["top"])
        )
        com = find_center(depth_map, joints, data.center, cube, data.dataset)
        cropped = crop(
            depth_map, camera, com, cube, data.crop_size, data.crop, data.interpolation, joints
        )
    except (UserError, ValueError) as error:
        message = f"{record['sequence'].decode()}, frame {record['frame']}: {error}"
        if data.bad_frames == "error":
            raise UserError(f"{message}; {_MEND}") from error
        return message
    known = {key: record[key].decode() for key in ("sequence", "subject", "split")}
    known |= {key: record[key] for key in ("frame", "action", "joints")}
    known |= {"com": com, "cube": cube, "scale": cropped.scale, "offset": cropped.offset}
    return depth_map, cropped.depth, known
