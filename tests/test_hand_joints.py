import pytest

from vid_jax.cameras import CAMERAS
from vid_jax.hand_joints import FINGERS, NYU_EVALUATED, SKELETONS

COUNTS = {"fhad": 21, "hands": 21, "icvl": 16, "msra15": 21, "nyu": 14}
IN_NO_CHAIN = {"nyu": {"wrist left", "wrist right"}}

each_skeleton = pytest.mark.parametrize(("name", "skeleton"), SKELETONS.items(), ids=SKELETONS)


def test_numbers_of_joints_are_the_published_ones():
    assert {name: len(skeleton.joints) for name, skeleton in SKELETONS.items()} == COUNTS
    assert SKELETONS.keys() == CAMERAS.keys()


@each_skeleton
def test_chains_cover_the_joints_once_but_for_the_palm(name, skeleton):
    in_chains = [joint for chain in skeleton.chains for joint in chain[1:]]
    assert len(in_chains) == len(set(in_chains))
    covered = {joint for chain in skeleton.chains for joint in chain}
    others = {skeleton.joints[joint] for joint in set(range(COUNTS[name])) - covered}
    assert others == IN_NO_CHAIN.get(name, set())


@each_skeleton
def test_chains_run_from_the_palm_to_the_tip_of_their_finger(name, skeleton):
    assert len(set(skeleton.joints)) == COUNTS[name]
    for finger, chain in zip(FINGERS, skeleton.chains, strict=True):
        names = [skeleton.joints[joint] for joint in chain]
        assert names[0] in ("wrist", "palm")
        assert all(joint.startswith(finger) for joint in names[1:])
        assert names[-1] == f"{finger} tip"
        order = [
            part
            for part in ("MCP", "root", "PIP", "mid", "DIP", "tip")
            if f"{finger} {part}" in names
        ]
        assert names[1:] == [f"{finger} {part}" for part in order]


@each_skeleton
def test_bones_join_neighbours_of_chains(name, skeleton):
    assert len(skeleton.bones) == sum(len(chain) - 1 for chain in skeleton.chains)
    assert skeleton.bones[0] == skeleton.chains[0][:2]


def test_references_are_those_that_the_field_centres_on():
    names = {name: s.joints[s.reference] for name, s in SKELETONS.items()}
    middle = dict.fromkeys(("fhad", "hands", "msra15"), "middle MCP")
    assert names == middle | {"icvl": "palm", "nyu": "palm"}


def test_fhad_chains_are_the_published_ones():
    assert SKELETONS["fhad"].chains == (
        (0, 1, 6, 7, 8),
        (0, 2, 9, 10, 11),
        (0, 3, 12, 13, 14),
        (0, 4, 15, 16, 17),
        (0, 5, 18, 19, 20),
    )


def test_nyu_evaluates_fourteen_of_thirty_six():
    assert len(set(NYU_EVALUATED)) == len(SKELETONS["nyu"].joints) == 14
    assert max(NYU_EVALUATED) < 36
