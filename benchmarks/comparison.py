"""Ours beside its peers and beside the machine's matrix-product rate, as rows of a table."""

import dataclasses
from collections.abc import Mapping, Sequence

from benchmarks.alternation import Side, Times, alternate, ratio
from vid_jax.allocator import TUNABLES

MATRIX_SIZE = 2048
# What is measured is work that goes on.
_SETTLE = 3  # untimed calls at the start of a turn
_TURN = 2.0  # seconds of a turn at least


def matrix_product(dtype: str, size: int = MATRIX_SIZE) -> Side:
    """A square product of `dtype` accumulated in float32: the rate that arithmetic is limited to."""
    arguments = {"size": size, "dtype": dtype}
    return Side("matrix product", "benchmarks.ours:matrix_product", arguments, flops=2.0 * size**3)


def compare(
    work: str, ours: Side, peers: Sequence[Side], limit: Side, target: str, rounds: int
) -> list[dict]:
    """Measures the sides in alternation; one row a side, ours first, peers also with huge pages as ours has them."""
    alike = (
        dataclasses.replace(peer, name=f"{peer.name}, huge pages", environment=TUNABLES)
        for peer in peers
    )
    sides = [ours, *peers, *alike, limit]
    return rows(work, sides, alternate(sides, rounds, at_least=_TURN, settle=_SETTLE), target)


def rows(work: str, sides: Sequence[Side], times: Mapping[str, Times], target: str) -> list[dict]:
    """One row a measured side; of `sides` the first is ours, the last the limit, the rest peers.

    `times ours` is the median over the rounds of the side's seconds over ours, above 1 where ours is faster;
    the target, in the same terms, stands at the fastest peer as its users start it.
    """
    measured = [side for side in sides if side.name in times]
    ours, *peers, limit = measured
    rates = {side.name: side.flops / times[side.name].median / 1e9 for side in measured}
    fastest = min((times[peer.name].median for peer in peers if not peer.environment), default=None)
    return [
        {
            "work": work,
            "side": side.name,
            **spread(times[side.name]),
            "times ours": ratio(times[side.name], times[ours.name]) if side in peers else None,
            "target": target if side in peers and times[side.name].median == fastest else "",
            "GFLOP/s": rates[side.name],
            "of the limit": rates[side.name] / rates[limit.name],
        }
        for side in measured
    ]


def spread(times: Times) -> dict[str, float | list[float]]:
    """The columns of a side's seconds, and every round's for the JSON."""
    return {
        "seconds": times.median,
        "min": min(times.wall),
        "max": max(times.wall),
        "seconds by round": list(times.wall),
        "CPU seconds by round": list(times.cpu),
        "seconds of the first call": [times.first],
    }
