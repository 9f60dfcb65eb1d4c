"""Augmentation against its geometry in float64, and against hands that are drawn anew."""

import dataclasses

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_hands import hand_depth, hand_points

from vid_jax.cameras import CAMERAS
from vid_jax.hand_joints import SKELETONS
from vid_jax.input_pipeline import hand_augmentation
from vid_jax.input_pipeline.depth_files import DepthMap
from vid_jax.input_pipeline.hand_augmentation import (
    Draw,
    Hands,
    Ranges,
    augmented,
    augmented_joints,
    centred_at,
    draw_batch,
    joints_in_mm,
    normalised_depth,
    normalised_joints,
)
from vid_jax.input_pipeline.hand_crop import crop

SIZE = 96
CAMERA = CAMERAS["nyu"]
RANGES = Ranges(shift_sigma=5.0, rotation_range=180.0, scale_sigma=0.02)
DRAWS = {
    "none": dict(shift=(0, 0, 0), angle=0, factor=1),
    "com": dict(shift=(9, -7, 12), angle=0, factor=1),
    "rot": dict(shift=(0, 0, 0), angle=0.8, factor=1),
    "sc": dict(shift=(0, 0, 0), angle=0, factor=1.1),
    "rot+com+sc": dict(shift=(-8, 5, -10), angle=-2.3, factor=0.93),
}


def draw_of(shift, angle, factor, number=1):
    return Draw(
        jnp.tile(jnp.float32(shift), (number, 1)),
        jnp.full(number, angle, jnp.float32),
        jnp.full(number, factor, jnp.float32),
    )


def crop_of(depth_map, joints, com, camera, cube=220.0, variant="cube", size=SIZE):
    """A batch of one."""
    cropped = crop(depth_map, camera, com, cube, size, variant, joints=joints)
    arrays = (cropped.depth, com, cube, cropped.scale, cropped.offset, joints)
    return Hands(*(jnp.asarray(x, jnp.float32)[None] for x in arrays))


def hand_of(dataset="nyu", frame=0, variant="cube"):
    """A tiny hand about its reference joint, before nothing."""
    joints = hand_points(dataset, "sequence", frame)
    depth = hand_depth(dataset, joints, background=0)
    com = joints[SKELETONS[dataset].reference]
    return crop_of(DepthMap(depth), joints, com, CAMERAS[dataset], variant=variant)


def at(batch, number=0):
    """An example in float64."""
    return jax.tree.map(lambda x: np.asarray(x[number], np.float64), batch)


def translation(x, y):
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)


def affine(scale, offset):
    return translation(*offset) @ np.diag([*scale, 1])


def turning(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def look_up(depth, positions):
    """Nearest pixels at (..., 2) columns and rows, 0 outside."""
    x, y = np.moveaxis(np.rint(positions).astype(int), -1, 0)
    inside = (x >= 0) & (y >= 0) & (x < depth.shape[1]) & (y < depth.shape[0])
    return np.where(inside, depth[y * inside, x * inside], 0)


def grid(size=SIZE):
    rows, columns = np.mgrid[:size, :size]
    return np.stack([columns, rows, np.ones_like(rows)], -1).astype(float)


def turned_joints(joints, com, angle, camera):
    """Joints (n, 3) about the pixel of `com`, by complex numbers."""
    u0, v0 = camera.cx + camera.fx * com[0] / com[2], camera.cy + camera.fy * com[1] / com[2]
    x, y, z = joints.T
    pixels = (camera.cx + camera.fx * x / z - u0) + 1j * (camera.cy + camera.fy * y / z - v0)
    pixels = pixels * np.exp(1j * angle) + u0 + 1j * v0
    x = (pixels.real - camera.cx) * z / camera.fx
    return np.stack([x, (pixels.imag - camera.cy) * z / camera.fy, z], -1)


@pytest.mark.parametrize("variant", ["cube", "joint_rectangle"])
@pytest.mark.parametrize("mode", DRAWS)
def test_crops_and_labels_are_those_of_float64(mode, variant):
    hands, change = hand_of(variant=variant), DRAWS[mode]
    new = at(augmented(hands, draw_of(**change), CAMERA))
    old = at(hands)
    com = old.com + change["shift"]
    np.testing.assert_allclose(new.com, com, rtol=1e-6)
    np.testing.assert_allclose(new.cube, old.cube * change["factor"], rtol=1e-6)
    centre = CAMERA.project(com)[:2]
    # The cube is as wide in the crop as before, and its centre where it was.
    np.testing.assert_allclose(
        new.scale * new.cube / com[2], old.scale * old.cube / old.com[2], rtol=1e-5
    )
    np.testing.assert_allclose(
        new.scale * centre + new.offset,
        old.scale * CAMERA.project(old.com)[:2] + old.offset,
        atol=1e-2,
    )
    wanted = turned_joints(old.joints, com, change["angle"], CAMERA)
    np.testing.assert_allclose(new.joints, wanted, atol=1e-2)

    scale = old.scale * com[2] / old.com[2] / change["factor"]
    offset = old.scale * CAMERA.project(old.com)[:2] + old.offset - scale * centre
    turn = translation(*centre) @ turning(-change["angle"]) @ translation(*-centre)
    chain = affine(old.scale, old.offset) @ turn @ np.linalg.inv(affine(scale, offset))
    positions = (grid() @ chain.T)[..., :2]
    # What lies halfway between two pixels may be either.
    clear = (np.abs(positions % 1 - 0.5) > 1e-2).all(-1)
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(new.depth[clear], look_up(old.depth, positions)[clear])
    assert (new.depth > 0).mean() > 0.05


def test_only_a_rotation_moves_joints():
    hands = hand_of()
    for mode in ("none", "com", "sc"):
        joints = augmented(hands, draw_of(**DRAWS[mode]), CAMERA).joints
        np.testing.assert_allclose(joints, hands.joints, atol=1e-3)
    turned = augmented(hands, draw_of(**DRAWS["rot"]), CAMERA).joints
    np.testing.assert_allclose(turned[..., 2], hands.joints[..., 2])
    assert np.abs(turned - hands.joints).max() > 10


def test_none_is_the_identity():
    hands = hand_of()
    same = augmented(hands, draw_of(**DRAWS["none"]), CAMERA)
    for field in ("depth", "com", "cube"):
        np.testing.assert_array_equal(getattr(same, field), getattr(hands, field))
    for field in ("scale", "offset"):
        np.testing.assert_allclose(getattr(same, field), getattr(hands, field), rtol=1e-5)


@pytest.mark.parametrize("name", CAMERAS)
def test_four_quarter_turns_are_none(name):
    hands = hand_of(name)
    joints, quarter = hands.joints, draw_of((0, 0, 0), np.pi / 2, 1)
    for turns in range(1, 5):
        joints, com = augmented_joints(joints, hands.com, quarter, CAMERAS[name])
        np.testing.assert_array_equal(com, hands.com)
        moved = np.abs(joints - hands.joints).max()
        assert moved < 1e-2 if turns == 4 else moved > 10


@pytest.mark.parametrize("mode", DRAWS)
def test_labels_alone_change_as_beside_their_crop(mode):
    hands, change = hand_of(), draw_of(**DRAWS[mode])
    whole = augmented(hands, change, CAMERA)
    joints, com = augmented_joints(hands.joints, hands.com, change, CAMERA)
    np.testing.assert_allclose(joints, whole.joints, rtol=1e-6)
    np.testing.assert_array_equal(com, whole.com)


@pytest.mark.parametrize("stretch", [(1.0, 1.0), (1.4, 0.7)])
@pytest.mark.parametrize("mode", DRAWS)
@pytest.mark.parametrize("name", CAMERAS)
def test_a_blob_at_a_joint_goes_with_it(name, mode, stretch):
    """A joint to each crop, and at its pixel the only depth that was measured."""
    camera, number = CAMERAS[name], 24
    rng = np.random.default_rng(0)
    com = rng.uniform((-60, -50, 400), (60, 50, 600), (number, 3))
    cube = rng.uniform(180, 260, number)
    joints = com + rng.uniform(-0.2, 0.2, (number, 3)) * cube[:, None]
    scale = SIZE / (camera.fx * cube / com[:, 2])[:, None] * stretch
    offset = SIZE / 2 - scale * camera.project(com)[:, :2]
    pixels = scale * camera.project(joints)[:, :2] + offset
    depth = np.zeros((number, SIZE, SIZE))
    for image, (x, y), z in zip(depth, np.rint(pixels).astype(int), joints[:, 2]):
        image[y - 3 : y + 4, x - 3 : x + 4] = round(z)
    arrays = (depth, com, cube, scale, offset, joints[:, None])
    hands = Hands(*(jnp.asarray(x, jnp.float32) for x in arrays))
    new = augmented(hands, draw_of(**DRAWS[mode], number=number), camera)
    wanted = new.scale * camera.project(new.joints[:, 0])[:, :2] + new.offset
    for image, position, z in zip(np.asarray(new.depth), wanted, joints[:, 2], strict=True):
        rows, columns = np.nonzero(image)
        assert len(rows) >= 20
        np.testing.assert_allclose([columns.mean(), rows.mean()], position, atol=1.5)
        assert set(image[rows, columns]) == {round(z)}


@pytest.mark.parametrize("variant", ["cube", "joint_rectangle"])
@pytest.mark.parametrize("name", CAMERAS)
def test_a_turned_crop_is_that_of_the_turned_hand(name, variant):
    camera, hands = CAMERAS[name], hand_of(name, variant=variant)
    new = at(augmented(hands, draw_of(**DRAWS["rot"]), camera))
    drawn = hand_depth(name, new.joints, background=0)
    drawn = look_up(drawn, (grid()[..., :2] - new.offset) / new.scale)
    # Fingers that leave the old crop cannot come back; a disc within both is compared.
    disc = np.linalg.norm(grid()[..., :2] - SIZE / 2, axis=-1) < SIZE / 2 - 3
    shown, wanted = new.depth * disc, drawn * disc
    both = (shown > 0) & (wanted > 0)
    assert both.sum() / ((shown > 0) | (wanted > 0)).sum() > 0.8
    assert np.median(np.abs(shown - wanted)[both]) <= 1


@pytest.mark.parametrize("mode", ["com", "sc"])
@pytest.mark.parametrize("name", CAMERAS)
def test_another_centre_or_cube_is_a_new_crop_of_the_depth_map(name, mode):
    camera, hands = CAMERAS[name], hand_of(name)
    new = at(augmented(hands, draw_of(**DRAWS[mode]), camera))
    depth_map = DepthMap(hand_depth(name, at(hands).joints, background=0))
    again = at(crop_of(depth_map, new.joints, new.com, camera, new.cube))
    # Crops have whole pixels of the image for their bounds: 320x240 shows a hand with some 110.
    np.testing.assert_allclose(new.scale, again.scale, rtol=0.03)
    near = np.s_[8:-8, 8:-8]
    shown, wanted = new.depth[near], again.depth[near]
    assert (shown == wanted).mean() > 0.9
    assert ((shown > 0) & (wanted > 0)).sum() / ((shown > 0) | (wanted > 0)).sum() > 0.8


@pytest.mark.parametrize("mode", ["com", "rot", "rot+com+sc"])
def test_generated_hands_rendered_anew(mode):
    """Bones with flesh, turned about the ray through the centre: on the optical axis that is exact."""
    from vid_jax.input_pipeline.datasets import hand_model, hand_postures, hand_renderer

    rng = np.random.default_rng(1)
    camera = CAMERAS["hands"]
    poses = hand_postures.random_poses(rng, 1)._replace(position=np.array([[0.0, 0.0, 450.0]]))
    posed = hand_model.pose_hands(hand_model.random_subject(rng), poses)
    nothing = np.zeros((0, 3))
    scene = hand_renderer.Scene(2000.0, nothing, nothing, np.zeros(0), np.zeros((0, 2), int))

    def render(points):
        hands = posed._replace(points=points)
        depth = hand_renderer.render_hand(hands, 0, scene).depth
        return np.where(np.isfinite(depth), np.rint(depth), 0).astype(np.uint16)

    com = posed.joints[0, 3]
    hands = crop_of(DepthMap(render(posed.points)), posed.points[0], com, camera, 250.0, size=128)
    new = at(augmented(hands, draw_of(**DRAWS[mode]), camera))
    drawn = look_up(render(new.joints[None]), (grid(128)[..., :2] - new.offset) / new.scale)
    low, high = new.com[2] - new.cube / 2, new.com[2] + new.cube / 2
    inside = [(x > low) & (x < high) for x in (new.depth, drawn)]
    disc = np.linalg.norm(grid(128)[..., :2] - 64, axis=-1) < 58
    both, either = inside[0] & inside[1] & disc, (inside[0] | inside[1]) & disc
    assert both.sum() > 1000
    assert both.sum() / either.sum() > 0.9
    assert np.median(np.abs(new.depth - drawn)[both]) < 2


def test_a_refined_centre_is_a_shift():
    hands = hand_of()
    shift = DRAWS["com"]["shift"]
    moved = centred_at(hands, hands.com + jnp.float32(shift), CAMERA)
    wanted = augmented(hands, draw_of(**DRAWS["com"]), CAMERA)
    for field in dataclasses.fields(Hands):
        np.testing.assert_allclose(
            getattr(moved, field.name), getattr(wanted, field.name), rtol=1e-5, atol=1e-3
        )


def test_normalised_depth_is_within_the_cube():
    hands = hand_of()
    z, half = float(hands.com[0, 2]), float(hands.cube[0]) / 2
    depths = jnp.array([[0, z - half - 50, z - half], [z, z + half / 2, z + half + 500]])
    values = normalised_depth(hands.replace(depth=depths[None]))[..., 0]
    np.testing.assert_allclose(values[0], [[1, -1, -1], [0, 0.5, 1]], atol=1e-6)
    whole = np.asarray(normalised_depth(hands))
    assert whole.shape == (1, SIZE, SIZE, 1)
    assert np.abs(whole).max() <= 1
    np.testing.assert_allclose(whole[0, ..., 0][np.asarray(hands.depth[0]) == 0], 1, rtol=1e-6)


def test_depths_of_16_bits_are_normalised_as_others():
    hands = hand_of()
    depth = hands.depth.astype(jnp.uint16)
    np.testing.assert_array_equal(
        normalised_depth(hands.replace(depth=depth)), normalised_depth(hands)
    )
    change = draw_of(**DRAWS["rot+com+sc"])
    np.testing.assert_array_equal(
        augmented(hands.replace(depth=depth), change, CAMERA).depth,
        augmented(hands, change, CAMERA).depth,
    )


@hypothesis.given(
    offset=st.tuples(*[st.floats(-150, 150)] * 3),
    com=st.tuples(st.floats(-300, 300), st.floats(-300, 300), st.floats(150, 1500)),
    cube=st.floats(100, 400),
)
def test_joints_come_back_in_millimetres(offset, com, cube):
    joints = np.float32([[com, np.add(com, offset)]])
    hands = Hands(None, np.float32([com]), np.float32([cube]), None, None, joints)
    values = normalised_joints(hands)
    assert values.shape == (1, 6)
    np.testing.assert_allclose(values[0], [0, 0, 0, *np.multiply(offset, 2 / cube)], atol=1e-4)
    np.testing.assert_allclose(joints_in_mm(values, hands), joints, atol=1e-2)


def draws_of(modes, number=2000, seed=5, epoch=0, ranges=RANGES):
    index = jnp.arange(number)
    draws = draw_batch(seed, index, jnp.full_like(index, epoch), tuple(modes), ranges)
    return jax.tree.map(np.asarray, draws)


def used(draws):
    """Of each draw, whether it shifts, turns, scales."""
    return np.stack([draws.shift.any(-1), draws.angle != 0, draws.factor != 1], -1)


def test_draws_are_a_function_of_seed_sample_and_epoch():
    whole = draws_of(("com", "rot", "sc", "none"), 50)
    chosen = jnp.array([41, 7, 7])
    part = draw_batch(5, chosen, jnp.zeros(3, int), ("com", "rot", "sc", "none"), RANGES)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[chosen], b), whole, part)
    for other in (dict(seed=6), dict(epoch=1)):
        changed = draws_of(("com",), 50, **other).shift
        assert (changed != draws_of(("com",), 50).shift).all()


def test_each_mode_is_as_likely_and_applied_alone():
    draws = used(draws_of(("com", "rot", "sc", "none"), 4000))
    assert (draws.sum(1) <= 1).all()
    shares = [*draws.mean(0), (~draws.any(1)).mean()]
    np.testing.assert_allclose(shares, 0.25, atol=0.03)


def test_joined_modes_are_applied_together():
    assert (used(draws_of(("rot+com",))) == [True, True, False]).all()
    assert (used(draws_of(("rot+com+sc",))) == [True, True, True]).all()
    both = used(draws_of(("rot+com", "none"), 4000))
    assert {*map(tuple, both.tolist())} == {(True, True, False), (False, False, False)}
    np.testing.assert_allclose(both.mean(0), [0.5, 0.5, 0], atol=0.03)
    assert not used(draws_of(("none",))).any()


def test_draws_are_distributed_as_published():
    draws = draws_of(("rot+com+sc",), 8000, ranges=Ranges(4.0, 90.0, 0.1))
    np.testing.assert_allclose(draws.shift.mean(0), 0, atol=0.2)
    np.testing.assert_allclose(draws.shift.std(0), 4, rtol=0.05)
    degrees = np.rad2deg(draws.angle)
    assert np.abs(degrees).max() <= 90
    counts, _ = np.histogram(degrees, 6, (-90, 90))
    np.testing.assert_allclose(counts / 8000, 1 / 6, atol=0.02)
    np.testing.assert_allclose([draws.factor.mean(), draws.factor.std()], [1, 0.1], atol=0.01)
    together = np.corrcoef([*draws.shift.T, draws.angle, draws.factor])
    np.testing.assert_allclose(together, np.eye(5), atol=0.05)


def test_all_modes_are_tested():
    assert hand_augmentation.MODES == ("com", "rot", "sc", "none")
