"""Files of recognised and of true actions of sequences, as people keep them."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vid_jax.errors import UserError

_SPLIT_FILE = re.compile(r"(Training|Test)\s+\d+\s*")
_LONGEST_LINE = 100_000  # characters; files of anything may be asked about
_OF_SEQUENCE = "actions.csv"  # what predict writes into each sequence's folder
_BESIDE = {"sequence", "subject", "frames", "action", "predicted"}  # columns that are no classes


class Predictions(NamedTuple):
    """What is said of each sequence."""

    sequences: list[str] | None  # (n,) names; None where there are none
    classes: list[str] | None  # (c,) of the scores; None where only the likeliest class is known
    scores: np.ndarray | None  # (n, c), higher is likelier
    best: list[str]  # (n,) the likeliest class, a name or a number


class Truth(NamedTuple):
    """What sequences show."""

    sequences: list[str] | None  # (n,) names; None where there are none
    actions: list[str]  # (n,) names or numbers
    classes: list[str] | None  # (c,) names by number; None where the file does not say
    others: frozenset[str] = frozenset()  # sequences that are known but not tested on


def is_truth(path: Path) -> bool:
    """Whether a file is one of true actions: as of `read_truth`."""
    if not path.is_file():
        return False
    first = _first_line(path)
    return bool(_SPLIT_FILE.fullmatch(first)) or "action" in _columns(first.split(","))


def read_truth(path: Path) -> Truth:
    """True actions, of the split file of the First-Person Hand Action benchmark or a table.

    Of the split file, see `fhad_files.read_splits`, the test part is taken but what its authors leave out. A `.csv` has
    a column `action`, with names or numbers from 0, and maybe `sequence`; without it the order counts.

    Raises:
        UserError: the file is not as described; names the line.
    """
    if not is_truth(path):
        raise UserError(
            f"{path} holds no true actions; wanted is a split file of FHAD, or a .csv with a column action"
        )
    if _SPLIT_FILE.fullmatch(_first_line(path)):
        from vid_jax.input_pipeline.datasets.fhad_files import ACTIONS, IGNORED, read_splits

        splits = read_splits(path)
        tested = {
            name: label
            for name, (split, label) in splits.items()
            if split == "test" and name not in IGNORED
        }
        others = frozenset(splits.keys() - tested.keys())
        return Truth(list(tested), [*map(str, tested.values())], list(ACTIONS), others)
    header, rows = _read_table(path)
    return Truth(_names(header, rows, path), _column("action", header, rows, path), None)


def read_predictions(path: Path) -> Predictions:
    """Recognised actions, of a table or of a folder with an `actions.csv` in each sequence's folder, as predict writes.

    A `.csv` has a column `sequence`, without which the order counts, and a column for each class, named after it, with
    its probability or any score that is higher the likelier it is; or a column `predicted` with names or numbers of
    classes from 0. Where it has both, probabilities count. Columns `subject`, `frames` and `action` are passed over.

    Raises:
        UserError: the file is not as described; names the line.
    """
    if path.is_dir():
        header, rows = _read_folder(path)
    elif path.is_file():
        header, rows = _read_table(path)
    else:
        raise UserError(f"{path} does not exist")
    sequences = _names(header, rows, path)
    classes = [name for name in header if name not in _BESIDE]
    if not classes:
        return Predictions(sequences, None, None, _column("predicted", header, rows, path))
    places = [header.index(name) for name in classes]
    scores = np.array([[_number(row[i], path, n) for i in places] for n, row in rows])
    best = [classes[i] for i in scores.argmax(axis=1)]
    return Predictions(sequences, classes, scores, best)


def sequence_key(name: str) -> str:
    """A name of a sequence as folders may spell it."""
    return re.sub(r"\W+", "_", name).lower()


def key(name: str) -> str:
    """A name of a class however it is spelt, or its number without leading zeros."""
    word = re.sub(r"\W+|_+", "_", name.strip().lower())
    return str(int(word)) if word.isdecimal() else word


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.readline(_LONGEST_LINE)


def _columns(header: Sequence[str]) -> list[str]:
    return [cell.strip().lower() for cell in header]


def _read_folder(folder: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The tables of all sequences as one; sequences are called after their folders."""
    header, rows = None, []
    for file in sorted(folder.glob(f"*/{_OF_SEQUENCE}")):
        own, [(number, row)] = _read_table(file, rows=1)
        header = header or own
        if own != header or "sequence" not in own:
            raise UserError(
                f"{file}: its columns are not those that --mode=predict gives the others"
            )
        row[own.index("sequence")] = file.parent.name
        rows.append((number, row))
    if not header:
        raise UserError(f"{folder} holds no SEQUENCE/{_OF_SEQUENCE}, as --mode=predict writes them")
    return header, rows


def _read_table(path: Path, rows: int = 0) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and line numbers and cells of the rows, which must be so many where that is given."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [[cell.strip() for cell in row] for row in csv.reader(file)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no .csv file: {error}") from error
    if not lines:
        raise UserError(f"{path} is empty")
    header = _columns(lines[0])
    if twice := [name for name in header if header.count(name) > 1]:
        raise UserError(f"{path}: the column {twice[0]} is there twice")
    found = [(number, row) for number, row in enumerate(lines[1:], start=2) if any(row)]
    for number, row in found:
        if len(row) != len(header):
            raise UserError(f"{path}, line {number}: {len(row)} cells, but {len(header)} columns")
    if not found or rows not in (0, len(found)):
        raise UserError(
            f"{path} holds {len(found)} sequences; {'one is' if rows else 'some are'} wanted"
        )
    return header, found


def _names(header: list[str], rows: list[tuple[int, list[str]]], path: Path) -> list[str] | None:
    if "sequence" not in header:
        return None
    names = _column("sequence", header, rows, path)
    seen = set()
    for name in map(sequence_key, names):
        if name in seen:
            raise UserError(f"{path}: the sequence {name} is there twice")
        seen.add(name)
    return names


def _column(
    name: str, header: list[str], rows: list[tuple[int, list[str]]], path: Path
) -> list[str]:
    if name not in header:
        raise UserError(f"{path}: no column {name}; it has {', '.join(header)}")
    cells = [row[header.index(name)] for _, row in rows]
    for (number, _), cell in zip(rows, cells, strict=True):
        if not cell:
            raise UserError(f"{path}, line {number}: {name} is empty")
    return cells


def _number(cell: str, path: Path, line: int) -> float:
    try:
        value = float(cell)
    except ValueError as error:
        raise UserError(f"{path}, line {line}: {cell!r} is not a number") from error
    if np.isnan(value):
        raise UserError(f"{path}, line {line}: a score is NaN")
    return value
