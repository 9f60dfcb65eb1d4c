"""Folders of what is made once from a prepared data set, to be read without loading it.

`<data dir>/<kind>/<data set>-<settings>/` holds a data file and `index.json`. It is written beside its final name and
then renamed, so what bears the name is whole.
"""

import errno
import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from absl import logging

from vid_jax.errors import UserError
from vid_jax.input_pipeline import locks, sources


def open_store(
    builder,
    data,
    kind: str,
    settings: dict,
    data_file: tuple[str, type],
    size: Callable[[], tuple[int, str]],
    build: Callable[[Path], dict],
) -> Path:
    """The folder of a store, built first where it is missing, damaged or of other data or settings.

    Args:
        builder: of the prepared data set.
        data: the keys `dataset` and `dir` of a config.
        kind: name of the folder of all such stores.
        settings: what changes the store, in JSON's types.
        data_file: name and NumPy type of the file whose size tells whether the store is whole.
        size: how many bytes a new one needs, and for what.
        build: fills a folder and returns what index.json shall hold, at least the `shape` of the data file.

    Raises:
        UserError: the disk is full, or `build` does.
    """
    metadata = builder.info.metadata or {}
    made_from = [builder.info.full_name, metadata.get("source_fingerprint"), settings]
    fingerprint = _digest(made_from)
    name = builder.info.full_name.split("/")[:-1]
    folder = sources.data_root(data) / kind / f"{'_'.join(name)}-{_digest(settings)[:8]}"
    with locks.exclusive(folder.with_name(f".{folder.name}.lock")):
        if _is_current(folder, fingerprint, *data_file):
            return folder
        if folder.exists():
            logging.info("%s is stale or damaged and is built again", folder)
            shutil.rmtree(folder)
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        (need, what), free = size(), shutil.disk_usage(partial).free
        full = (
            f"{folder.parent} needs {need:,} bytes for {what} and {free:,} are free; make room, or name another "
            "folder: --config.data.dir=FOLDER"
        )
        if need > free:
            raise UserError(full)
        kind = kind.replace("_", " ")
        logging.info("building the %s %s: %s, %.2f GB", kind, folder, what, need / 1e9)
        try:
            index = build(partial)
        except (OSError, UserError) as error:
            shutil.rmtree(partial)
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise UserError(full) from error
            raise
        index |= {"name": "/".join(name), "fingerprint": fingerprint, "settings": settings}
        (partial / "index.json").write_text(json.dumps(index, indent=1))
        partial.rename(folder)
    return folder


def read_rows(file: Path, rows: Iterable[int], row_bytes: int, items: np.ndarray) -> np.ndarray:
    """Fills each of `items` from where a row of the file begins, and returns them.

    Not by way of a memory map: from a disk it is far slower, and its pages would add up in this process.

    Raises:
        UserError: the file ends before an item does.
    """
    with open(file, "rb", buffering=0) as data:
        for row, item in zip(rows, items, strict=True):
            data.seek(int(row) * row_bytes)
            if data.readinto(item) != item.nbytes:
                raise UserError(f"{file.parent} is truncated; delete it to have it built again")
    return items


def _digest(value) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _is_current(folder: Path, fingerprint: str, file: str, dtype: type) -> bool:
    try:
        index = json.loads((folder / "index.json").read_text())
        size = (folder / file).stat().st_size
    except (OSError, ValueError):
        return False
    whole = size == math.prod(index["shape"]) * np.dtype(dtype).itemsize
    return whole and index["fingerprint"] == fingerprint
