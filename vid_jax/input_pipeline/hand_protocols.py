"""Which records of a data set of hands are trained on, which validate and which are tested on."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vid_jax.errors import UserError
from vid_jax.input_pipeline.datasets.fhad_files import ACTIONS

# Arrays (records, ...) of split, subject, sequence and action, and in mm of joints and com.
Fields = Mapping[str, np.ndarray]

# Garcia-Hernando et al., CVPR 2018. The test actions are those with peanut butter, fork, milk, tea, liquid soap, spray,
# paper (and reading a letter), calculator, phone, coin, card and wine bottle.
CROSS_SUBJECT_TRAINING = ("Subject_1", "Subject_3", "Subject_4")
CROSS_OBJECT_TEST = (
    *("open_peanut_butter", "close_peanut_butter", "prick", "open_milk", "close_milk", "pour_milk"),
    *("put_tea_bag", "open_liquid_soap", "close_liquid_soap", "pour_liquid_soap", "use_flash"),
    *("tear_paper", "squeeze_paper", "read_letter", "use_calculator", "charge_cell_phone"),
    *("give_coin", "receive_coin", "give_card", "pour_wine"),
)

# Of generated hands: trained on are those as near as half of them, turned in the image by at most so many degrees.
UNSEEN_RANGE_ROLL = 30.0

# Of each data set its protocols, the first is the default.
PROTOCOLS: dict[str, tuple[str, ...]] = {
    "fhad": ("action_split", "cross_subject", "cross_object"),
    "hands": ("published", "unseen_range"),
    "icvl": ("published",),
    "msra15": ("leave_one_subject_out",),
    "nyu": ("published",),
}


def split_frames(
    dataset: str, protocol: str, held_out: str, fields: Fields
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (int64, ascending) of the records trained on, and of those tested on.

    Args:
        protocol: one of `PROTOCOLS[dataset]`, or "" for the first.
        held_out: the test subject of leave_one_subject_out, or "" for the first in the data.
        fields: arrays (records,) of their fields.

    Raises:
        UserError: the protocol is unknown, the subject is not in the data, or one of the parts is empty.
    """
    protocol = protocol or PROTOCOLS[dataset][0]
    if protocol not in PROTOCOLS[dataset]:
        raise UserError(
            f"config.data.protocol={protocol!r}: {dataset} has " + ", ".join(PROTOCOLS[dataset])
        )
    if held_out and protocol != "leave_one_subject_out":
        raise UserError(
            f"config.data.held_out={held_out!r}: only leave_one_subject_out holds a subject out, not "
            f"{protocol}; leave it empty"
        )
    masks = _MASKS[protocol](fields, held_out)
    train, test = (np.flatnonzero(mask) for mask in masks)
    for rows, part in ((train, "train"), (test, "test")):
        if not len(rows):
            raise UserError(
                f"config.data.protocol={protocol!r} leaves nothing to {part} on: "
                "config.data.source holds only a part of the data set"
            )
    return train, test


def hold_out(
    train: np.ndarray,
    test: np.ndarray,
    data,
    subjects: np.ndarray,
    names: Sequence[str],
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows that validate, by `validation` of a config's group `data`.

    Args:
        train, test: of `split_frames`.
        subjects: of the rows of `train`.
        names: of the same, unique; by them and the seed a fraction is drawn.

    Raises:
        UserError: the held-out subject is none of several training subjects.
    """
    if data.validation == "test":
        return train, test
    if data.validation == "none":  # what is watched is training data
        return train, train[:: max(1, round(1 / data.validation_fraction))]
    if data.validation == "subject":
        known = np.unique(subjects).tolist()
        subject = data.validation_subject or known[-1]
        if subject not in known or len(known) < 2:
            raise UserError(
                f"config.data.validation_subject={subject!r}: must be one of the training subjects "
                f"{', '.join(known)}, and not the only one; or set config.data.validation=fraction"
            )
        chosen = subjects == subject
    else:
        hashes = [hashlib.sha256(f"{seed}/{name}".encode()).digest() for name in names]
        chosen = np.zeros(len(train), bool)
        count = max(1, round(data.validation_fraction * len(train)))
        chosen[sorted(range(len(train)), key=hashes.__getitem__)[:count]] = True
    return train[~chosen], train[chosen]


def _by_split(fields: Fields, held_out: str) -> tuple[np.ndarray, np.ndarray]:
    return fields["split"] == "train", fields["split"] == "test"


def _leave_one_subject_out(fields: Fields, held_out: str) -> tuple[np.ndarray, np.ndarray]:
    subjects = np.unique(fields["subject"]).tolist()
    if held_out and held_out not in subjects:
        raise UserError(
            f"config.data.held_out={held_out!r}: the data have the subjects {', '.join(subjects)}"
        )
    test = np.isin(fields["subject"], held_out or subjects[:1])
    return ~test, test


def _cross_subject(fields: Fields, held_out: str) -> tuple[np.ndarray, np.ndarray]:
    train = np.isin(fields["subject"], CROSS_SUBJECT_TRAINING)
    return train, ~train


def _cross_object(fields: Fields, held_out: str) -> tuple[np.ndarray, np.ndarray]:
    test = np.isin(fields["action"], [ACTIONS.index(action) for action in CROSS_OBJECT_TEST])
    return ~test, test


def _unseen_range(fields: Fields, held_out: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = (fields["joints"][:, 3] - fields["joints"][:, 0])[:, :2].T  # wrist to middle MCP
    upright = np.abs(np.degrees(np.arctan2(x, -y))) <= UNSEEN_RANGE_ROLL
    train = fields["split"] == "train"
    distance = fields["com"][:, 2]
    seen = upright & (distance <= np.median(distance[train]))
    return train & seen, (fields["split"] == "test") & ~seen


_MASKS: dict[str, Callable[[Fields, str], tuple[np.ndarray, np.ndarray]]] = {
    "action_split": _by_split,
    "cross_object": _cross_object,
    "cross_subject": _cross_subject,
    "leave_one_subject_out": _leave_one_subject_out,
    "published": _by_split,
    "unseen_range": _unseen_range,
}
