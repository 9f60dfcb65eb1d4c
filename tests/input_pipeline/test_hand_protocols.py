import numpy as np
import pytest

from vid_jax.errors import UserError
from vid_jax.hand_joints import SKELETONS
from vid_jax.input_pipeline.datasets.fhad_files import ACTIONS
from vid_jax.input_pipeline.hand_protocols import PROTOCOLS, split_frames


def fields(**known):
    count = len(next(iter(known.values())))
    empty = {"split": [""] * count, "subject": [""] * count, "sequence": [""] * count}
    return {
        key: np.array(values) for key, values in (empty | {"action": [-1] * count} | known).items()
    }


def rows(dataset, protocol, held_out="", **known):
    train, test = split_frames(dataset, protocol, held_out, fields(**known))
    return train.tolist(), test.tolist()


def test_every_data_set_has_a_protocol():
    assert PROTOCOLS.keys() == SKELETONS.keys()
    for names in PROTOCOLS.values():
        assert len(names) == len({*names}) >= 1


@pytest.mark.parametrize(
    ("dataset", "protocol"),
    [("nyu", "published"), ("icvl", ""), ("hands", "published"), ("fhad", "action_split")],
)
def test_the_published_split(dataset, protocol):
    splits = ["test", "train", "", "train", "test"]
    assert rows(dataset, protocol, split=splits) == ([1, 3], [0, 4])


def test_the_first_protocol_is_the_default():
    assert rows("fhad", "", split=["train", "test"]) == ([0], [1])
    assert rows("msra15", "", subject=["P1", "P0", "P2"]) == ([0, 2], [1])


def test_one_subject_is_left_out():
    subjects = ["P0", "P1", "P1", "P5"]
    assert rows("msra15", "leave_one_subject_out", subject=subjects) == ([1, 2, 3], [0])
    assert rows("msra15", "leave_one_subject_out", "P1", subject=subjects) == ([0, 3], [1, 2])
    with pytest.raises(UserError, match=r"held_out='P7': the data have the subjects P0, P1, P5"):
        rows("msra15", "", "P7", subject=subjects)
    with pytest.raises(UserError, match=r"leaves nothing to train on: config\.data\.source"):
        rows("msra15", "", subject=["P0", "P0"])


def test_subjects_1_3_and_4_train_across_subjects():
    subjects = [f"Subject_{number}" for number in (1, 2, 3, 4, 5, 6)]
    assert rows("fhad", "cross_subject", subject=subjects) == ([0, 2, 3], [1, 4, 5])
    with pytest.raises(UserError, match="'cross_subject' leaves nothing to test on"):
        rows("fhad", "cross_subject", subject=subjects[2:4])


def test_actions_with_the_published_objects_test_across_objects():
    """The object of each action, as in the data set's table; the test objects as its README lists them."""
    words = ("peanut", "prick", "milk", "tea_bag", "soap", "flash", "_paper", "read_letter")
    words += ("calculator", "phone", "coin", "card", "pour_wine")
    test = [index for index, name in enumerate(ACTIONS) if any(word in name for word in words)]
    assert len(test) == 20
    others = [index for index in range(45) if index not in test]
    assert rows("fhad", "cross_object", action=[*range(45)]) == (others, test)


@pytest.mark.parametrize("dataset", PROTOCOLS)
def test_unknown_protocols_are_refused(dataset):
    with pytest.raises(UserError, match=rf"protocol='1:3': {dataset} has {PROTOCOLS[dataset][0]}"):
        rows(dataset, "1:3", split=["train", "test"])


def test_only_one_protocol_holds_out_a_subject():
    with pytest.raises(UserError, match="held_out='Subject_1': only leave_one_subject_out holds a"):
        rows("fhad", "cross_subject", "Subject_1", subject=["Subject_1"])


def test_unseen_range_trains_on_near_upright_hands():
    """Four training hands at 400 to 700 mm; the median is 550."""
    directions = {"up": (0, -1), "tilted": (0.5, -1), "right": (1, 0), "down": (0, 1)}
    hands = [
        ("train", 400, "up"),
        ("train", 500, "tilted"),
        ("train", 600, "up"),
        ("train", 700, "down"),
        ("test", 400, "up"),
        ("test", 400, "right"),
        ("test", 700, "up"),
    ]
    joints = np.zeros((len(hands), 21, 3))
    joints[:, 3, :2] = [directions[direction] for _, _, direction in hands]
    com = [(0, 0, distance) for _, distance, _ in hands]
    train, test = split_frames(
        "hands",
        "unseen_range",
        "",
        fields(split=[split for split, _, _ in hands], com=com, joints=joints),
    )
    assert (train.tolist(), test.tolist()) == ([0, 1], [5, 6])
