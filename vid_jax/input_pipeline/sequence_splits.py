"""Which sequences train, validate and test."""

from collections.abc import Sequence

import numpy as np

from vid_jax.errors import UserError, some
from vid_jax.input_pipeline.hand_protocols import Fields, hold_out, split_frames
from vid_jax.input_pipeline.joint_sources import hands_name, protocols_of


def split_sequences(
    data, fields: Fields, actions: Sequence[str], seed: int
) -> dict[str, np.ndarray]:
    """Numbers (int64, ascending) of the sequences of "train", "validation" and "test".

    Args:
        data: the config's group; its protocol and validation are read.
        fields: arrays (n,) of sequence, subject, split and action.
        actions: names of the classes.

    Raises:
        UserError: the protocol or the held-out subject does not fit the data, a part is empty, or a sequence's label is
            no class.
    """
    if data.protocol not in ("", *(protocols := protocols_of(data.dataset))):
        raise UserError(
            f"config.data.protocol={data.protocol!r}: sequences of {data.dataset} have "
            + ", ".join(protocols)
        )
    held_out = data.get("held_out", "")
    train, test = split_frames(hands_name(data.dataset), data.protocol, held_out, fields)
    _check_labels(np.union1d(train, test), fields, actions)
    subjects, names = fields["subject"][train], fields["sequence"][train]
    train, validation = hold_out(train, test, data, subjects, names, seed)
    parts = {"train": train, "validation": validation, "test": test}
    for part, numbers in parts.items():
        if not len(numbers):
            raise UserError(f"{data.dataset}: no sequences for {part}; see config.data.validation")
    return parts


def describe_split(data, subjects: dict[str, np.ndarray]) -> str:
    """Protocol and validation in words; `subjects` of the sequences of each split."""
    validations = {
        "fraction": f"{data.validation_fraction:.0%} of the training sequences, of the same subjects",
        "subject": f"held-out training subject {subjects['validation'][0]}",
        "test": "the test split itself",
        "none": "none; training sequences are watched",
    }
    protocol = data.protocol or protocols_of(data.dataset)[0]
    return f"protocol {protocol}; validation: {validations[data.validation]}"


def _check_labels(numbers: np.ndarray, fields: Fields, actions: Sequence[str]) -> None:
    labels = fields["action"][numbers]
    wrong = numbers[(labels < 0) | (labels >= len(actions))]
    if len(wrong):
        found = [f"{fields['sequence'][i]} ({fields['action'][i]})" for i in wrong]
        raise UserError(
            f"labels of {len(wrong)} sequences are none of the {len(actions)} classes 0 to {len(actions) - 1}: "
            f"{some(found)}"
        )
