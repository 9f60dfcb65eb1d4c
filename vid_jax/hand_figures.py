"""Figures of hands in depth maps: joints over depth maps and crops, and frames for overlay video.

Pixels are (j, 2 or more), u and v first, of the image they are drawn over, the centre of its first pixel at (0, 0).
Crops are (h, w) floats in [-1, 1] as the network sees them, 1 where there is only background.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from vid_jax.hand_joints import Skeleton

FINGER_COLOURS = ("#ff453a", "#ff4fd8", "#4f8bff", "#22e5f0", "#3ddc5b")  # of hand_joints.FINGERS
COM_COLOUR = "#ff1f1f"
BOX_COLOUR = "#ffffff"

_INVALID_COLOUR = "#2b2f36"
_OTHER_COLOUR = "#e8ebf0"  # of joints in no chain
_CASING = "#10141a"
_MIN_WIDTH = 480
_DEPTH_COLOURS = matplotlib.colormaps["viridis"].with_extremes(bad=_INVALID_COLOUR)
_DASHES = (0, (2.2, 1.4))
_BACKGROUND = 0.9995  # of a crop; 1 but for rounding
_STRIP_HEIGHT = 36


class CropPair(NamedTuple):
    """A crop before and after augmentation, with its joints in pixels of each."""

    crop: np.ndarray
    pixels: np.ndarray
    augmented: np.ndarray
    augmented_pixels: np.ndarray
    title: str  # mode and values, for instance "rot 37 deg"


def draw_joints(
    axes: Axes,
    pixels: np.ndarray,
    skeleton: Skeleton,
    style: Literal["solid", "dashed"] = "solid",
) -> None:
    """Draws the chains of a hand, one line and colour a finger, and dots at the joints.

    Args:
        axes: already show the image.
        pixels: (j, 2 or more).
        skeleton: its chains are drawn; joints in none of them are pale dots.
        style: solid for ground truth, dashed for predictions.
    """
    is_solid = style == "solid"
    casing = withStroke(
        linewidth=3.1,
        foreground=_CASING if is_solid else "#ffffff",
        alpha=0.55 if is_solid else 0.9,
    )
    for colour, chain in zip(FINGER_COLOURS, skeleton.chains, strict=True):
        axes.plot(
            *pixels[list(chain), :2].T,
            color=colour,
            linestyle="-" if is_solid else _DASHES,
            linewidth=1.7,
            marker="o",
            markersize=3.2 if is_solid else 2.2,
            markeredgewidth=0,
            solid_capstyle="round",
            path_effects=[casing],
        )
    others = sorted(set(range(len(skeleton.joints))) - {j for c in skeleton.chains for j in c})
    if others:
        axes.plot(
            *pixels[others, :2].T,
            color=_OTHER_COLOUR,
            linestyle="none",
            marker="o",
            markersize=3.2,
            markeredgewidth=0,
        )


def depth_overview(
    depth: np.ndarray,
    title: str,
    skeleton: Skeleton | None = None,
    pixels: np.ndarray | None = None,
    com: np.ndarray | None = None,
    box: tuple[float, float, float, float] | None = None,
    corner: tuple[int, int] = (0, 0),
) -> Figure:
    """A raw depth map with its joints, the centre of the hand as a red cross, and the cube's outline.

    Args:
        depth: (h, w) mm, 0 where nothing was measured, shown in dark grey.
        title: for instance the frame's name.
        skeleton: of the pixels.
        pixels: (j, 2 or more), of the camera's image.
        com: (2 or more,) u and v of the camera's image.
        box: left, top, right and bottom edge of the crop in pixels of the camera's image.
        corner: u and v of the depth map's first pixel in the camera's image.
    """
    height, width = depth.shape
    figure = Figure(figsize=(8.4, 8.4 * 0.86 * height / width + 0.5), layout="constrained")
    axes = figure.add_subplot()
    u, v = corner
    extent = (u - 0.5, u + width - 0.5, v + height - 0.5, v - 0.5)
    near, far = depth_range(depth)
    seen = np.ma.masked_equal(depth, 0)
    heat = axes.imshow(seen, cmap=_DEPTH_COLOURS, vmin=near, vmax=far, extent=extent)
    if pixels is not None:
        draw_joints(axes, pixels, skeleton)
    if box is not None:
        left, top, right, bottom = box
        u, v = (left, right, right, left, left), (top, top, bottom, bottom, top)
        casing = [withStroke(linewidth=3, foreground=_CASING, alpha=0.5)]
        axes.plot(u, v, color=BOX_COLOUR, linewidth=1.4, path_effects=casing)
    if com is not None:
        casing = [withStroke(linewidth=4.6, foreground="#ffffff")]
        look = dict(markersize=11, markeredgewidth=2.6, path_effects=casing)
        axes.plot(*com[:2], "x", color=COM_COLOUR, **look)
    axes.set(xlim=extent[:2], ylim=extent[2:])
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    axes.set_axis_off()
    bar = figure.colorbar(heat, ax=axes, shrink=0.8, pad=0.02, aspect=32)
    bar.set_label("depth, mm", fontsize=10)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=9, length=0)
    return figure


def crop_panel(pairs: Sequence[CropPair], skeleton: Skeleton, title: str) -> Figure:
    """Crops, each with its augmented self on its right, two pairs a row.

    Args:
        pairs: at least one; titles stand over the augmented crops.
        skeleton: of their pixels.
        title: above all.
    """
    figure, grid = _grid(2 * len(pairs), 4 if len(pairs) > 1 else 2, title)
    for pair, before, after in zip(pairs, grid[::2], grid[1::2]):
        show_crop(before, pair.crop, "crop")
        draw_joints(before, pair.pixels, skeleton)
        show_crop(after, pair.augmented, pair.title)
        draw_joints(after, pair.augmented_pixels, skeleton)
    return figure


def browse_sheet(
    crops: np.ndarray,
    pixels: np.ndarray,
    captions: Sequence[str],
    skeleton: Skeleton,
    title: str,
) -> Figure:
    """Crops with their joints, four a row.

    Args:
        crops: (n, h, w).
        pixels: (n, j, 2 or more), of the crops.
        captions: (n,).
        skeleton: of the pixels.
        title: above all.
    """
    figure, grid = _grid(len(crops), 4, title)
    for axes, crop, joints, caption in zip(grid, crops, pixels, captions):
        show_crop(axes, crop, caption)
        draw_joints(axes, joints, skeleton)
    return figure


def prediction_sheet(
    crops: np.ndarray,
    truth: np.ndarray,
    prediction: np.ndarray,
    errors: np.ndarray,
    skeleton: Skeleton,
    title: str,
    names: Sequence[str] | None = None,
) -> Figure:
    """Crops with the prediction dashed over the truth solid, each under its 3-D error, four a row.

    Args:
        crops: (n, h, w).
        truth: (n, j, 2 or more), pixels of the crops.
        prediction: likewise.
        errors: (n,), mean over the joints in mm.
        skeleton: of the pixels.
        title: above all, for instance "Worst frames".
        names: (n,) of the frames, after the errors.
    """
    names = names or [""] * len(crops)
    captions = [f"{error:.1f} mm  {name}".rstrip() for error, name in zip(errors, names)]
    figure = browse_sheet(crops, truth, captions, skeleton, title)
    for axes, joints in zip(figure.axes, prediction):
        draw_joints(axes, joints, skeleton, "dashed")
    looks = (("truth", "-"), ("prediction", _DASHES))
    lines = [
        Line2D([], [], color="#3d4757", linewidth=1.8, linestyle=line, label=name)
        for name, line in looks
    ]
    figure.legend(handles=lines, loc="outside lower left", ncols=2, frameon=False, fontsize=10)
    return figure


def overlay_frame(
    depth: np.ndarray,
    skeleton: Skeleton,
    pixels: np.ndarray | None = None,
    com: np.ndarray | None = None,
    text: str = "",
    span: tuple[float, float] | None = None,
) -> np.ndarray:
    """A depth map as a frame for overlay video: joints, a red cross at the hand's centre, and a line of text below.

    Maps narrower than 480 pixels are enlarged by a whole factor; width and height of the result are even, as video
    encoders ask for.

    Args:
        depth: (h, w) mm, 0 where nothing was measured.
        skeleton: of the pixels.
        pixels: (j, 2 or more) of the depth map; None where no hand was found.
        com: (2 or more,) u and v of the depth map.
        text: in ASCII, for instance the frame's name and the hand's distance.
        span: depths in mm of the ends of the colour scale, one for all frames of a video; this map's own if None.

    Returns:
        uint8 RGB (height, width, 3), the same size for every frame of a video.
    """
    near, far = span or depth_range(depth)
    factor = max(1, -(-_MIN_WIDTH // depth.shape[1]))
    width, height = (side * factor // 2 * 2 for side in depth.shape[::-1])
    level = np.where(depth == 0, np.nan, (depth - near) / max(far - near, 1e-6))
    image = _DEPTH_COLOURS(np.ma.masked_invalid(level), bytes=True)[..., :3]
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST)

    def place(pixel: np.ndarray) -> tuple[int, int]:
        u, v = (np.asarray(pixel[:2], np.float64) + 0.5) * factor - 0.5
        return round(float(u)), round(float(v))

    if pixels is not None:
        thickness = max(2, width // 320)
        for colour, chain in zip(FINGER_COLOURS, skeleton.chains, strict=True):
            points = [place(pixels[joint]) for joint in chain]
            for look, extra in ((_CASING, 2), (colour, 0)):
                line = np.array(points, np.int32)
                cv2.polylines(image, [line], False, _rgb(look), thickness + extra, cv2.LINE_AA)
            for point in points:
                cv2.circle(image, point, thickness + 1, _rgb(colour), cv2.FILLED, cv2.LINE_AA)
    if com is not None:
        for look, thickness in (("#ffffff", 5), (COM_COLOUR, 2)):
            cv2.drawMarker(
                image, place(com), _rgb(look), cv2.MARKER_TILTED_CROSS, 18, thickness, cv2.LINE_AA
            )
    strip = np.full((_STRIP_HEIGHT, width, 3), (22, 26, 33), np.uint8)
    place_of_text = (14, _STRIP_HEIGHT // 2 + 6)
    cv2.putText(
        strip, text, place_of_text, cv2.FONT_HERSHEY_SIMPLEX, 0.55, (236, 240, 245), 1, cv2.LINE_AA
    )
    return np.concatenate([image, strip])


def depth_range(depth: np.ndarray) -> tuple[float, float]:
    """Ends in mm of a colour scale for a depth map, a few stray pixels left out; (0, 1) if nothing was measured."""
    seen = depth[depth > 0]
    if not seen.size:
        return 0.0, 1.0
    near, far = np.percentile(seen, (0.5, 99.5))
    return float(near), float(max(far, near + 1))


def _grid(panels: int, columns: int, title: str) -> tuple[Figure, list[Axes]]:
    """Axes for that many square panels, row by row."""
    rows = -(-panels // columns)
    figure = Figure(figsize=(2.7 * columns, 2.93 * rows + 0.6), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(panels)]


def show_crop(axes: Axes, crop: np.ndarray, title: str) -> None:
    """Shows a crop, and keeps the view on it whatever is drawn over it."""
    height, width = crop.shape
    axes.imshow(np.ma.masked_greater(crop, _BACKGROUND), cmap=_DEPTH_COLOURS, vmin=-1, vmax=1)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.set_title(title, loc="left", fontsize=10, pad=4)
    axes.set_axis_off()


def _rgb(colour: str) -> tuple[int, int, int]:
    return tuple(round(255 * part) for part in to_rgb(colour))
