"""Work that threads do side by side: NumPy's, OpenCV's and what reads files."""

import collections
import concurrent.futures
import os
from collections.abc import Callable, Iterable, Iterator


def map_ahead(function: Callable, items: Iterable) -> Iterator:
    """Maps in order on a small pool of threads, a few items ahead of what is taken."""
    threads = min(8, os.cpu_count() or 1)
    pending = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
