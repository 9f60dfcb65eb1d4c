"""An .npy file that grows along its first axis, so that no more than a piece of it is ever in memory."""

from pathlib import Path

import numpy as np


class GrowingArray:
    """Use as a context manager; `append` arrays of one type that agree in all axes but the first."""

    def __init__(self, path: Path):
        self._path = path
        self._file = None
        self._header = None

    def __enter__(self) -> "GrowingArray":
        self._file = self._path.open("wb")
        return self

    def append(self, array: np.ndarray) -> None:
        if self._header is None:
            self._header = np.lib.format.header_data_from_array_1_0(np.ascontiguousarray(array))
            self._header["shape"] = (0, *array.shape[1:])
            self._write_header()
        length, *rest = self._header["shape"]
        self._header["shape"] = (length + len(array), *rest)
        self._file.write(np.ascontiguousarray(array).tobytes())

    def __exit__(self, *exception) -> None:
        if self._header is not None:
            self._file.seek(0)
            self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        # NumPy leaves room in the header for the first axis to grow.
        np.lib.format.write_array_header_1_0(self._file, self._header)
