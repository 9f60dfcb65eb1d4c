"""Features of joints by name: what they do not see, what is fitted, and what padding may not change."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vid_jax import joint_features
from vid_jax.hand_joints import SKELETONS
from vid_jax.joint_features import FEATURES, POSES, FeatureSettings

SKELETON = SKELETONS["fhad"]
LENGTH = np.array([6, 3])


def hands(batch=2, time=6, seed=0):
    """Sequences of hands of about the right size in mm, 0 behind their ends."""
    rng = np.random.default_rng(seed)
    joints = 600 + 60 * rng.normal(size=(batch, time, 21, 3))
    joints = joints.astype(np.float32)
    for row, frames in enumerate(LENGTH):
        joints[row, frames:] = 0
    return joints


def of(*names, **others):
    return FeatureSettings(names, **others)


def computed(joints, settings, length=LENGTH, constants=None):
    if constants is None:
        constants = joint_features.fit(hands()[0], settings)
    compute = jax.jit(lambda j, n, c: joint_features.features(j, n, settings, c))
    return compute(joints, length, constants)


@pytest.mark.parametrize(
    ("names", "dim"),
    [
        (("middle_mcp",), 63),
        (("wrist",), 60),
        (("palm",), 60),
        (("palm_rotation",), 9),
        (("wrist_path",), 3),
        (("palm", "velocity"), 120),
        (FEATURES, 2 * (63 + 60 + 60 + 9 + 3) + 1),
    ],
)
def test_features_are_joined_and_0_in_the_padding(names, dim):
    x, steps = computed(hands(), of(*names))
    assert x.shape == (2, 6, dim)
    assert steps.tolist() == LENGTH.tolist()
    assert np.isfinite(x).all()
    assert not x[1, 3:].any()
    assert x[1, :3].any()


def test_joints_from_the_middle_mcp_are_in_100_mm():
    joints = hands()
    x, _ = computed(joints, of("middle_mcp"))
    middle = SKELETON.joints.index("middle MCP")
    wanted = (joints[0, 2] - joints[0, 2, middle]) / 100
    np.testing.assert_allclose(x[0, 2], wanted.ravel(), rtol=1e-5)


def test_bones_have_the_mean_length_and_their_own_direction():
    joints = hands()
    constants = joint_features.fit(joints[0], of("wrist"))
    hand = joint_features.mean_hand(joints[0], constants["bone_lengths"])
    assert not hand[:, 0].any()
    for (parent, child), length in zip(SKELETON.bones, constants["bone_lengths"], strict=True):
        old, new = (x[:, child] - x[:, parent] for x in (joints[0], hand))
        own = np.linalg.norm(old, axis=-1)
        assert length == pytest.approx(own.mean(), rel=1e-5)
        np.testing.assert_allclose(new, old / own[:, None] * length, atol=0.02)


def test_the_size_of_a_hand_is_not_seen():
    joints = hands()
    settings = of("wrist", "palm", "palm_rotation")
    np.testing.assert_allclose(
        computed(joints * 1.3, settings)[0], computed(joints, settings)[0], atol=1e-4
    )


def test_the_palms_own_axes_do_not_see_how_the_hand_is_held_and_where():
    joints, turn = hands(), Rotation.from_rotvec([0.4, -1.0, 0.7]).as_matrix()
    moved = (joints @ turn.T + [10, -20, 30]).astype(np.float32)
    before, after = (computed(x, of("palm"))[0] for x in (joints, moved))
    np.testing.assert_allclose(after[0], before[0], atol=2e-4)
    assert np.abs(computed(moved, of("wrist"))[0] - computed(joints, of("wrist"))[0]).max() > 0.1
    axes = joint_features.palm_axes(joints[0])
    np.testing.assert_allclose(joint_features.palm_axes(moved[0]), axes @ turn.T, atol=1e-4)
    np.testing.assert_allclose(np.linalg.det(axes), 1, atol=1e-5)


def test_the_path_starts_at_0_and_velocities_are_differences():
    joints = hands()
    path, _ = computed(joints, of("wrist_path"))
    np.testing.assert_allclose(path[0], (joints[0, :, 0] - joints[0, 0, 0]) / 100, atol=1e-5)
    x, _ = computed(joints, of("wrist_path", "velocity"))
    np.testing.assert_allclose(x[0, 1:, 3:], 10 * np.diff(path[0], axis=0), atol=1e-4)
    assert not x[:, 0, 3:].any()


def test_log_length_is_of_the_frames_that_there_were():
    x, steps = computed(hands(), of("wrist_path", "log_length", resample=4))
    assert steps.tolist() == [4, 4]
    np.testing.assert_allclose(x[:, 0, -1] - x[0, 0, -1], np.log(LENGTH / 6), atol=1e-6)


def test_resampling_keeps_the_ends_and_lies_between_frames():
    joints = hands()
    x, length = joint_features.resampled(joints, LENGTH, 5)
    assert length.tolist() == [5, 5]
    np.testing.assert_allclose(x[1, ::2], joints[1, :3], rtol=1e-6)
    np.testing.assert_allclose(x[1, 1], joints[1, :2].mean(0), rtol=1e-6)
    np.testing.assert_allclose(x[0, -1], joints[0, 5], rtol=1e-6)
    one, _ = joint_features.resampled(joints, np.array([1, 1]), 5)
    np.testing.assert_array_equal(one[0], np.repeat(joints[0, :1], 5, axis=0))


@pytest.mark.parametrize("resample", [0, 4])
def test_padding_changes_nothing(resample):
    settings, joints = of(*FEATURES, resample=resample), hands()
    padded = np.concatenate([joints, np.full_like(joints, 7)], axis=1)
    padded[1, 3:] = -5
    x, _ = computed(joints, settings)
    y, _ = computed(padded, settings)
    np.testing.assert_allclose(y[:, : x.shape[1]], x, atol=1e-5)


def test_principal_components_are_of_the_poses_alone_and_rebuild_them():
    frames = hands(time=200)[0]
    settings, plain = of("palm", "wrist_path", pca=60), of("palm", "wrist_path")
    constants = joint_features.fit(frames, settings)
    assert constants["pca_components"].shape == (60, 60)
    x, _ = computed(hands(), settings, constants=constants)
    y, _ = computed(hands(), plain, constants=constants | {})
    assert x.shape[-1] == 63
    rebuilt = x[0, :, :60] @ constants["pca_components"] + constants["pca_mean"]
    wanted, _ = computed(hands(), plain, constants=joint_features.fit(frames, plain))
    np.testing.assert_allclose(rebuilt, wanted[0, :, :60], atol=1e-4)
    assert y.shape == x.shape


def test_constants_have_their_shapes_before_they_are_fitted():
    settings = of("palm", "palm_rotation", "velocity", pca=7)
    fitted = joint_features.fit(hands(time=50)[0], settings)
    initial = joint_features.initial_constants(settings)
    assert {k: v.shape for k, v in fitted.items()} == {k: v.shape for k, v in initial.items()}


def test_gradients_are_finite_where_joints_coincide():
    settings = of(*FEATURES)
    constants = joint_features.fit(hands()[0], settings)

    def total(joints):
        return joint_features.features(joints, LENGTH, settings, constants)[0].sum()

    gradient = jax.jit(jax.grad(total))(jnp.asarray(hands()))
    assert np.isfinite(gradient).all()
    assert not gradient[1, 3:].any()


def test_features_of_one_frame_each_are_told_from_the_others():
    for name in POSES:
        assert of(name).frame_by_frame
    for settings in (of("palm", "velocity"), of("wrist_path"), of("palm", resample=8)):
        assert not settings.frame_by_frame
