"""Which photographs of a collection are held out, the same wherever it is asked."""

from collections.abc import Sequence

import numpy as np


def held_out(names: Sequence[str], fraction: float, seed: int) -> np.ndarray:
    """Marks (n,) of the names that are held out: the last of a permutation of the sorted names.

    Args:
        names: unique names, such as paths below the collection's folder, in any order.
        fraction: of the names; it is rounded down to whole ones.
        seed: of the permutation.
    """
    by_name = np.argsort(np.asarray(names, dtype=str))
    order = np.random.default_rng(seed).permutation(len(names))
    marks = np.zeros(len(names), bool)
    marks[by_name[order[len(names) - int(fraction * len(names)) :]]] = True
    return marks
