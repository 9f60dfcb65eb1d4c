import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vid_jax.cameras import CAMERAS
from vid_jax.errors import UserError
from vid_jax.pose_files import COORDINATES, read_poses, write_poses

NYU, FHAD, MSRA = CAMERAS["nyu"], CAMERAS["fhad"], CAMERAS["msra15"]


def hands(frames=4, joints=5):
    rng = np.random.default_rng(0)
    return rng.uniform((-120, -120, 400), (120, 120, 600), (frames, joints, 3))


def text_file(folder, text):
    path = folder / "poses.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
@pytest.mark.parametrize("names", [None, ["a/0.png", "a/1.png", "b/0.png", "b/1.png"]])
def test_what_is_written_is_read_again(tmp_path, camera, coordinates, names):
    points = hands()
    write_poses(tmp_path / "p.txt", points, camera, coordinates, names)
    poses = read_poses(tmp_path / "p.txt", camera, coordinates)
    np.testing.assert_allclose(poses.points, points, atol=1e-3)
    assert poses.names == names


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from([" ", ",", "\t", ", ", "   "]),
    st.sampled_from(["", "# u v d\n", "\n\n", "\ufeff", "  # made by x\n\n"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "{}", "{:04d}", "Depth/image_{:04d}.png", "1_{}"]),
    st.booleans(),
)
def test_every_spelling_gives_the_same_poses(
    tmp_path_factory, separator, before, newline, name, ends
):
    pixels = np.array([[[100.5, 90, 400], [320, 2e2, 410]], [[1, 2, 3], [4, 5, 600]]])
    lines = [
        separator.join([name.format(i)] * bool(name) + [f"{x:g}" for x in frame.ravel()])
        for i, frame in enumerate(pixels)
    ]
    path = tmp_path_factory.mktemp("spelling") / "p.txt"
    text = before + "\n".join(lines) + "\n" * ends
    path.write_bytes(text.replace("\n", newline).encode())
    poses = read_poses(path, NYU)
    np.testing.assert_allclose(NYU.project(poses.points), pixels)
    assert poses.names == ([name.format(i) for i in range(2)] if name else None)


def test_published_y_up_and_negative_z_are_turned(tmp_path):
    path = text_file(tmp_path, "2\n10 20 -400 1 2 -410\n-10 -20 -400 1 2 -410\n")
    points = read_poses(path, MSRA, "xyz").points
    np.testing.assert_array_equal(points[0], [[10, -20, 400], [1, -2, 410]])
    np.testing.assert_array_equal(points[1, 0], [-10, 20, 400])
    np.testing.assert_array_equal(read_poses(path, FHAD, "xyz").points[0, 0], [10, 20, 400])


def test_first_line_with_the_number_of_frames_is_passed_over(tmp_path):
    poses = read_poses(text_file(tmp_path, "2\n1 -2 400\n3 4 400\n"), FHAD, "xyz")
    assert poses.points.shape == (2, 1, 3)
    assert poses.names is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 400\n1 2 400 1 2 400\n", r"poses.txt, line 2: 6 values, but 3 in line 1"),
        ("# x\n\n1 2 400\n\n1 2\n", r"poses.txt, line 5: 2 values, but 3 in line 3"),
        ("1 2 3 4 5\n", r"poses.txt, line 1: 5 numbers; a frame has three a joint"),
        ("name 1 2 3 4 5\n", r"poses.txt, line 1: 5 numbers; a frame has three a joint"),
        ("7\n1 2 400\n", r"poses.txt, line 1: 0 numbers"),
        ("1 2 400\n1 x 400\n", r"poses.txt, line 2: 'x' is not a number"),
        ("1 2 400\n1 1_0 400\n", r"poses.txt, line 2: '1_0' is not a number"),
        ("1 2 400\n1 nan 400\n", r"poses.txt, line 2: a number is not finite"),
        ("1 2 400\n1 -inf 400\n", r"poses.txt, line 2: a number is not finite"),
        ("1 2 400\n1 1e999 400\n", r"poses.txt, line 2: a number is not finite"),
        ("", r"poses.txt holds no poses; it must have one line a frame"),
        ("# only a comment\n\n , \n", r"poses.txt holds no poses"),
        ("1 2 400\n1 2 0\n", r"poses.txt, line 2: a joint has no depth above 0"),
        ("1 2 0.4\n1 2 0.5\n", r"poses.txt: no depth is above 0.5; .* in mm, not in metres"),
    ],
)
def test_mistakes_name_file_and_line(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_poses(text_file(tmp_path, text), NYU)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\xff\xfe", b"1 2 400\n\0\0\0"])
def test_binary_files_are_named(tmp_path, content):
    (tmp_path / "poses.mat").write_bytes(content)
    with pytest.raises(UserError, match=r"poses.mat is not a text file"):
        read_poses(tmp_path / "poses.mat", NYU)


def test_missing_files_and_folders_are_named(tmp_path):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(UserError, match=f"{path.name} is not a file"):
            read_poses(path, NYU)


def test_points_read_as_pixels_give_a_hint(tmp_path):
    write_poses(tmp_path / "p.txt", hands(), NYU, "xyz")
    with pytest.raises(UserError, match=r"p.txt: \d+% of the joints .*use --coordinates=xyz"):
        read_poses(tmp_path / "p.txt", NYU, "uvd")
    path = text_file(tmp_path, "10 20 -400\n")
    with pytest.raises(UserError, match=r"100% of the joints .*use --coordinates=xyz"):
        read_poses(path, MSRA, "uvd")


def test_a_joint_outside_the_image_is_no_mistake(tmp_path):
    points = hands(joints=21)
    points[0, 0] = NYU.unproject(np.array([-4.0, 100.0, 500.0]))
    write_poses(tmp_path / "p.txt", points, NYU, "uvd")
    np.testing.assert_allclose(read_poses(tmp_path / "p.txt", NYU).points, points, atol=1e-3)


def test_pixels_read_as_points_give_a_hint(tmp_path, caplog):
    write_poses(tmp_path / "p.txt", hands(), NYU, "uvd")
    with caplog.at_level(logging.WARNING, logger="absl"):
        read_poses(tmp_path / "p.txt", NYU, "xyz")
    assert "these may be pixels; if so, use --coordinates=uvd" in caplog.text
    caplog.clear()
    write_poses(tmp_path / "p.txt", hands(), NYU, "xyz")
    with caplog.at_level(logging.WARNING, logger="absl"):
        read_poses(tmp_path / "p.txt", NYU, "xyz")
    assert not caplog.records


def test_points_relative_to_the_hand_are_refused(tmp_path):
    path = text_file(tmp_path, "1 2 30 1 2 40\n1 2 30 1 2 40\n1 2 30 1 2 -40\n")
    with pytest.raises(UserError, match=r"poses.txt, line 3: z has another sign than elsewhere"):
        read_poses(path, FHAD, "xyz")


def test_unknown_coordinates_are_named(tmp_path):
    with pytest.raises(UserError, match="--coordinates=uv is unknown; use one of uvd, xyz"):
        read_poses(text_file(tmp_path, "1 2 400\n"), NYU, "uv")
