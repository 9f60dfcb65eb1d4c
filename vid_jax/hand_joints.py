"""The joints of a hand as each data set orders them, and the bones between them."""

import dataclasses
import itertools
from collections.abc import Sequence

FINGERS = ("thumb", "index", "middle", "ring", "little")


@dataclasses.dataclass(frozen=True)
class Skeleton:
    """Joint names in the published order.

    Attributes:
        chains: of joint numbers from the palm to a fingertip, in the order of `FINGERS`, which gives their colours.
        reference: the joint that a hand is centred on where the ground truth may be used.
    """

    joints: tuple[str, ...]
    chains: tuple[tuple[int, ...], ...]
    reference: int

    @property
    def bones(self) -> list[tuple[int, int]]:
        """Pairs of joint numbers."""
        return [bone for chain in self.chains for bone in itertools.pairwise(chain)]


def _names(fingers: Sequence[str], parts: Sequence[str]) -> list[str]:
    return [f"{finger} {part}" for finger in fingers for part in parts]


# Wrist, then the knuckles, then the rest of each finger: First-Person Hand Action, and the generated hands.
_FHAD = Skeleton(
    (
        "wrist",
        *(f"{finger} MCP" for finger in FINGERS),
        *_names(FINGERS, ("PIP", "DIP", "tip")),
    ),
    tuple((0, 1 + i, 6 + 3 * i, 7 + 3 * i, 8 + 3 * i) for i in range(5)),
    reference=3,
)
_MSRA15 = Skeleton(
    (
        "wrist",
        *_names(("index", "middle", "ring", "little", "thumb"), ("MCP", "PIP", "DIP", "tip")),
    ),
    tuple((0, *range(first, first + 4)) for first in (17, 1, 5, 9, 13)),
    reference=5,
)
_ICVL = Skeleton(
    ("palm", *_names(FINGERS, ("root", "mid", "tip"))),
    tuple((0, *range(first, first + 3)) for first in (1, 4, 7, 10, 13)),
    reference=0,
)
# 14 of the 36 published, as the field evaluates them.
NYU_EVALUATED = (0, 3, 6, 9, 12, 15, 18, 21, 24, 25, 27, 30, 31, 32)
_NYU = Skeleton(
    (
        *_names(("little", "ring", "middle", "index"), ("tip", "mid")),
        "thumb tip",
        "thumb mid",
        "thumb root",
        "wrist left",
        "wrist right",
        "palm",
    ),
    ((13, 10, 9, 8), (13, 7, 6), (13, 5, 4), (13, 3, 2), (13, 1, 0)),
    reference=13,
)
SKELETONS = {"fhad": _FHAD, "hands": _FHAD, "icvl": _ICVL, "msra15": _MSRA15, "nyu": _NYU}
