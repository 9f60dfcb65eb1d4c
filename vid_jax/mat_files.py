"""Variables of MATLAB files: cells of arrays, and the frame labels that many code bases share."""

import zlib
from pathlib import Path

import numpy as np

from vid_jax.errors import UserError

_UNREADABLE = (OSError, ValueError, TypeError, EOFError, IndexError, zlib.error)

Ranges = list[tuple[int, int]]  # first and last frame, from 1, both included


def read_cells(path: Path, variable: str) -> list[np.ndarray]:
    """The arrays in a cell array; cells within cells and structs of one field are looked into.

    A numeric variable is the only cell.

    Raises:
        UserError: the file cannot be read, or holds no such variable or another kind of one.
    """
    import scipy.io  # takes longer than most of what does not need it

    if not path.is_file():
        raise UserError(f"{path} is missing")
    try:
        contents = scipy.io.loadmat(path)
    except NotImplementedError as error:
        raise UserError(
            f"{path} is a .mat file of version 7.3; save it by MATLAB's save -v7"
        ) from error
    except (*_UNREADABLE, scipy.io.matlab.MatReadError) as error:
        raise UserError(f"{path} cannot be read as a .mat file; get it again") from error
    if variable not in contents:
        found = ", ".join(name for name in contents if not name.startswith("__")) or "nothing"
        raise UserError(f"{path}: no variable {variable}, but {found}; is it the right file?")
    cells = _cells(contents[variable], f"{path}: {variable}")
    if any(cell.dtype.kind not in "biuf" for cell in cells):
        raise UserError(f"{path}: {variable} is not a cell array of numbers; is it the right file?")
    return cells


def _cells(array: np.ndarray, where: str) -> list[np.ndarray]:
    if array.dtype.names:
        if len(array.dtype.names) > 1:
            raise UserError(f"{where} is a struct of {', '.join(array.dtype.names)}: one is wanted")
        array = array[array.dtype.names[0]]
    if array.dtype != object:
        return [array]
    inner = [_cells(np.asarray(cell), where) for cell in array.flat]
    if len(inner) == 1:
        return inner[0]
    if any(len(cells) > 1 for cells in inner):
        raise UserError(f"{where} holds cells of several cells; one array a cell is wanted")
    return [cells[0] if cells else np.zeros((0, 0)) for cells in inner]


def read_events(path: Path) -> list[Ranges]:
    """Abnormal frame ranges of each video from the variable `gt`, a 2 x events array [start; end] each.

    The layout of Liu, Luo, Lian and Gao (CVPR 2018): from 1, both ends included; [] is no event.

    Raises:
        UserError: as `read_cells`; or an array is not 2 x events of whole numbers.
    """
    videos = []
    for number, events in enumerate(read_cells(path, "gt"), start=1):
        if events.size and (events.ndim != 2 or len(events) != 2 or np.any(events % 1)):
            raise UserError(
                f"{path}: gt of video {number} is not 2 x events of frame numbers [starts; ends]"
            )
        videos.append([(int(start), int(end)) for start, end in events.reshape(2, -1).T])
    return videos
