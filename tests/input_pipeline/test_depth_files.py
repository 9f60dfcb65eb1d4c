import struct

import cv2
import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_hands import msra_bin, nyu_png, png

from vid_jax.cameras import CAMERAS, find_camera
from vid_jax.errors import UserError
from vid_jax.input_pipeline.depth_files import (
    DECODERS,
    DepthMap,
    check_depth,
    check_size,
    decode_depth,
    read_depth,
)


def slope(height=6, width=8, nearest=300):
    return nearest + np.arange(height * width, dtype=np.uint16).reshape(height, width)


def bin_bytes(box, image=(8, 6), values=None):
    left, top, right, bottom = box
    values = np.full((bottom - top, right - left), 400) if values is None else values
    return struct.pack("<6I", *image, *box) + np.asarray(values, "<f4").tobytes()


@settings(max_examples=25, deadline=None)
@given(arrays.arrays(np.uint16, (5, 7), elements=st.integers(0, 65535)))
def test_packed_and_plain_png_hold_every_depth(depth):
    np.testing.assert_array_equal(DECODERS["png"](png(depth)).depth, depth)
    np.testing.assert_array_equal(DECODERS["nyu"](nyu_png(depth)).depth, depth)


def test_green_of_nyu_holds_the_upper_bits():
    image = np.zeros((1, 1, 3), np.uint8)
    image[0, 0] = (4, 3, 255)  # blue, green, red
    assert DECODERS["nyu"](png(image)).depth[0, 0] == 3 * 256 + 4


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_the_bin_of_msra_is_a_box_in_the_image(data):
    left, top = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 4))
    right, bottom = data.draw(st.integers(left + 1, 8)), data.draw(st.integers(top + 1, 6))
    shape = (bottom - top, right - left)
    box = data.draw(arrays.arrays(np.uint16, shape, elements=st.integers(100, 1500)))
    image = np.zeros((6, 8), np.uint16)
    image[top:bottom, left:right] = box
    depth, *place, size = DECODERS["msra_bin"](msra_bin(image, find_camera("9,9,4,3,8x6")))
    np.testing.assert_array_equal(depth, box)
    assert place == [left, top]
    assert size == (6, 8)


def test_fractions_of_a_millimetre_are_rounded():
    depth = DECODERS["msra_bin"](bin_bytes((1, 2, 4, 3), values=[300.4, 0, 299.6])).depth
    np.testing.assert_array_equal(depth, [[300, 0, 300]])
    assert depth.dtype == np.uint16


def test_depth_is_read_by_suffix(tmp_path):
    depth = slope()
    depth[0, 0] = 0
    (tmp_path / "a.PNG").write_bytes(png(depth))
    np.save(tmp_path / "b.npy", depth)
    np.save(tmp_path / "c.npy", depth + np.float64(0.3))
    np.save(tmp_path / "d.npy", depth.astype(np.int64))
    (tmp_path / "e.bin").write_bytes(bin_bytes((0, 0, 8, 6), values=depth))
    for path in sorted(tmp_path.iterdir()):
        depth_map = read_depth(path, find_camera("9,9,4,3,8x6"))
        np.testing.assert_array_equal(depth_map.depth, depth, err_msg=path.name)
        assert depth_map.depth.dtype == np.uint16


def metres(dtype):
    return np.linspace(0.3, 1.2, 48).reshape(6, 8).astype(dtype)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.png", png((slope() // 10).astype(np.uint8)), "holds 8-bit depth, which is too coarse"),
        ("a.png", png(np.zeros((6, 8, 3), np.uint8)), "is a colour image; depth is one channel"),
        ("a.png", png(slope())[:60], "cannot be decoded; get it again"),
        ("a.png", b"", "cannot be decoded; get it again"),
        ("a.png", png(np.ones((6, 8), np.uint16)), "holds depth of at most 1, which looks like"),
        ("a.png", png(np.zeros((6, 8), np.uint16)), "is empty: no pixel has a depth"),
        (
            "a.npy",
            metres(np.float32),
            "holds depth of at most 1.2, which looks like metres; it must",
        ),
        ("a.npy", slope().astype(np.uint8), "holds 8-bit depth, which is too coarse"),
        ("a.npy", slope() > 310, "holds 8-bit depth, which is too coarse"),
        ("a.npy", slope()[None], r"is an array of shape \(1, 6, 8\); depth is \(height, width\)"),
        ("a.npy", np.full((6, 8), np.nan), "holds depth that is NaN or infinite; 0 stands for"),
        ("a.npy", -slope().astype(float), "holds depth from -347 to 0; it must be 0 to 65535"),
        ("a.npy", slope() * 1000.0, "holds depth from 0 to 347000; it must be 0 to 65535 mm"),
        ("a.npy", b"no array", "cannot be read as a .npy file"),
        ("a.bin", bin_bytes((0, 0, 8, 6))[:20], "is cut off: its header has 24 bytes"),
        ("a.bin", bin_bytes((0, 0, 8, 6))[:-4], "is cut off: 212 bytes for a box of 216"),
        ("a.bin", bin_bytes((0, 0, 8, 6)) + b"0000", "is too long: 220 bytes for a box of 216"),
        ("a.bin", bin_bytes((3, 0, 9, 6)), "is no depth map: columns 3 to 9 and rows 0 to 6 of"),
        (
            "a.bin",
            bin_bytes((0, 0, 8, 6), values=metres("f4")),
            "holds depth of at most 1.2, which",
        ),
        ("a.bin", bin_bytes((0, 0, 1, 1), values=[np.nan]), "holds depth that is NaN or infinite"),
        ("a.bin", bin_bytes((0, 0, 0, 0)), "is empty: no pixel has a depth"),
        ("a.jpg", b"a picture", r"is no depth map: \.png \(16-bit\), \.npy or \.bin"),
        ("a.png", None, r"cannot be read: No such file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_depth_in_millimetres_is_named(tmp_path, name, data, message):
    path = tmp_path / name
    if isinstance(data, bytes):
        path.write_bytes(data)
    elif data is not None:
        np.save(path, data)
    with pytest.raises(UserError, match=rf"^{path} {message}"):
        read_depth(path)


@pytest.mark.parametrize(
    "image", [np.full((6, 8), 300, np.uint16), np.zeros((6, 8), np.uint8)], ids=["16", "8"]
)
def test_grey_images_are_not_packed_depth(image):
    with pytest.raises(UserError, match=r"^a\.png is no colour image; NYU packs depth in green"):
        decode_depth(png(image), "nyu", "a.png")


def test_depth_that_is_not_of_a_file_is_checked_alike():
    check_depth(slope(), "frame 3")
    with pytest.raises(UserError, match=r"^frame 3 holds depth of at most 1\.2, which looks like"):
        check_depth(metres(np.float64), "frame 3")


@pytest.mark.parametrize("depth_format", ["png", "nyu", "msra_bin"])
def test_an_image_of_another_camera_is_named(depth_format):
    small = np.full((240, 320), 400, np.uint16)
    data = {"png": png, "nyu": nyu_png, "msra_bin": msra_bin}[depth_format](small)
    decode_depth(data, depth_format, "a", CAMERAS["icvl"])
    with pytest.raises(UserError, match=r"^a is 240x320 and an image of the camera fhad 480x640"):
        decode_depth(data, depth_format, "a", CAMERAS["fhad"])


def test_a_box_is_of_the_camera_by_the_size_of_its_image(tmp_path):
    check_size(DepthMap(slope(), 3, 4, (240, 320)), CAMERAS["icvl"], "a")
    np.save(tmp_path / "a.npy", slope())
    with pytest.raises(UserError, match=r"a\.npy is 6x8 and an image of the camera nyu 480x640"):
        read_depth(tmp_path / "a.npy", CAMERAS["nyu"])


def test_16_bit_colour_is_not_packed_depth():
    data = cv2.imencode(".png", np.full((6, 8, 3), 300, np.uint16))[1].tobytes()
    with pytest.raises(ValueError, match="is no colour image; NYU packs"):
        DECODERS["nyu"](data)
