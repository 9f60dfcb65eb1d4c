"""Drawing of the people and vehicles of the generated pedestrian scene, in NumPy and OpenCV."""

import dataclasses
import math

import cv2
import numpy as np

_SUBPIXEL_BITS = 4  # OpenCV draws at coordinates in 1/16 pixel, so slow movers glide, not jump

Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Look:
    """Grey values, 0 to 255, and accessories of one figure."""

    shirt: float
    trousers: float
    skin: float
    hair: float
    bag: float | None = None  # backpack
    vehicle: float = 60.0  # bicycle, board, chair or cart


@dataclasses.dataclass(frozen=True)
class Pose:
    """Where a figure is: ground point, body height in pixels, facing (+1 right, -1 left), gait angle."""

    x: float
    y: float
    height: float
    facing: int
    gait: float

    def at(self, forward: float, up: float) -> Point:
        """Image point `forward` and `up` from the ground point, in body heights."""
        return self.x + self.facing * forward * self.height, self.y - up * self.height


class Canvas:
    """An image, and beside it the mask of what is visible of the marked figures.

    Every shape is painted on both: marked figures with 255, all others, which may occlude them,
    with 0.
    """

    def __init__(self, image: np.ndarray, mask: np.ndarray) -> None:
        self.image = image
        self.mask = mask
        self.ink: int | None = None  # value for the mask; None leaves it alone

    def _targets(self, tone: float) -> list[tuple[np.ndarray, float, int]]:
        targets = [(self.image, tone, cv2.LINE_AA)]
        if self.ink is not None:
            targets.append((self.mask, self.ink, cv2.LINE_8))
        return targets

    def limb(self, start: Point, end: Point, width: float, tone: float) -> None:
        for image, value, line_type in self._targets(tone):
            cv2.line(
                image,
                _fixed(start),
                _fixed(end),
                value,
                max(1, round(width)),
                line_type,
                _SUBPIXEL_BITS,
            )

    def ellipse(
        self, centre: Point, axes: Point, tone: float, angle: float = 0.0, width: int = cv2.FILLED
    ) -> None:
        for image, value, line_type in self._targets(tone):
            cv2.ellipse(
                image,
                _fixed(centre),
                _fixed(axes),
                angle,
                0,
                360,
                value,
                width,
                line_type,
                _SUBPIXEL_BITS,
            )

    def polygon(self, points: list[Point], tone: float) -> None:
        corners = np.array([_fixed(point) for point in points], np.int32)
        for image, value, line_type in self._targets(tone):
            cv2.fillPoly(image, [corners], value, line_type, _SUBPIXEL_BITS)


def draw_shadow(canvas: Canvas, pose: Pose, length: float) -> None:
    """Darkens the ground under a figure, `length` body heights long; never part of the mask."""
    half_width, half_height = 0.5 * length * pose.height, 0.055 * pose.height
    left, right = round(pose.x - half_width), round(pose.x + half_width)
    top, bottom = round(pose.y - half_height), round(pose.y + half_height)
    ground = canvas.image[max(top, 0) : max(bottom, 0) + 1, max(left, 0) : max(right, 0) + 1]
    if ground.size == 0:
        return
    shade = np.zeros(ground.shape, np.uint8)
    centre = (pose.x - max(left, 0), pose.y - max(top, 0))
    cv2.ellipse(
        shade, _fixed(centre), _fixed((half_width, half_height)), 0, 0, 360, 255, -1, cv2.LINE_AA, 4
    )
    darker = cv2.multiply(ground, shade, scale=0.28 / 255)
    cv2.subtract(ground, darker, dst=ground)


def draw_walker(canvas: Canvas, pose: Pose, look: Look) -> None:
    _draw_pedestrian(canvas, pose, look, swing=0.36, lean=0.02, elbow=0.15)


def draw_runner(canvas: Canvas, pose: Pose, look: Look) -> None:
    lifted = dataclasses.replace(pose, y=pose.y - 0.05 * pose.height * abs(math.sin(pose.gait)))
    _draw_pedestrian(canvas, lifted, look, swing=0.85, lean=0.1, elbow=1.5)


def draw_skater(canvas: Canvas, pose: Pose, look: Look) -> None:
    """A skateboarder: bent knees, arms spread, legs still, body swaying."""
    sway = 0.04 * math.sin(pose.gait / 3)
    width = 0.1 * pose.height
    for end in (-0.24, 0.24):
        canvas.ellipse(pose.at(end, 0.02), (2.0, 2.0), 30)
    canvas.limb(pose.at(-0.36, 0.08), pose.at(0.36, 0.08), 0.06 * pose.height, look.vehicle)
    hip = pose.at(-0.06, 0.47)
    for foot, knee in ((-0.2, -0.12), (0.2, 0.2)):
        _bent_limb(canvas, hip, pose.at(knee, 0.28), pose.at(foot, 0.1), width, look.trousers)
    shoulder = pose.at(0.05 + sway, 0.77)
    canvas.limb(hip, shoulder, 0.19 * pose.height, look.shirt)
    canvas.limb(shoulder, pose.at(0.38, 0.74 + sway), 0.07 * pose.height, look.shirt)
    canvas.limb(shoulder, pose.at(-0.3, 0.66 - sway), 0.07 * pose.height, look.shirt)
    _draw_head(canvas, pose, pose.at(0.1 + sway, 0.92), look)


def draw_cyclist(canvas: Canvas, pose: Pose, look: Look) -> None:
    """A rider on a bicycle, pedalling at the gait angle."""
    radius, tube = 0.24, 0.05 * pose.height
    rear, front, crank = pose.at(-0.36, radius), pose.at(0.36, radius), pose.at(-0.04, 0.26)
    saddle, bars = pose.at(-0.14, 0.56), pose.at(0.26, 0.66)
    _leg_on_pedal(canvas, pose, look, pose.gait + math.pi, shade=0.7)
    for hub in (rear, front):
        canvas.ellipse(hub, (radius * pose.height,) * 2, look.vehicle, width=2)
        canvas.ellipse(hub, (1.5, 1.5), look.vehicle)
    head_tube = pose.at(0.24, 0.56)
    for start, end in (
        (rear, crank), (rear, saddle), (saddle, crank), (saddle, head_tube), (crank, head_tube),
        (front, bars),
    ):  # fmt: skip
        canvas.limb(start, end, tube, look.vehicle)
    hip, shoulder = pose.at(-0.14, 0.64), pose.at(0.08, 0.98)
    canvas.limb(hip, shoulder, 0.2 * pose.height, look.shirt)
    _leg_on_pedal(canvas, pose, look, pose.gait, shade=1.0)
    _bent_limb(canvas, shoulder, pose.at(0.12, 0.76), bars, 0.075 * pose.height, look.shirt)
    _draw_head(canvas, pose, pose.at(0.15, 1.14), look)


def draw_wheelchair(canvas: Canvas, pose: Pose, look: Look) -> None:
    """A person sitting in a wheelchair, pushing its rims at the gait angle."""
    width, radius = 0.1 * pose.height, 0.26
    canvas.limb(pose.at(-0.24, 0.78), pose.at(-0.2, 0.3), 0.05 * pose.height, look.vehicle)
    canvas.limb(pose.at(-0.34, 0.78), pose.at(-0.24, 0.78), 0.05 * pose.height, look.vehicle)
    canvas.limb(pose.at(-0.22, 0.36), pose.at(0.22, 0.36), 0.07 * pose.height, look.vehicle)
    canvas.limb(pose.at(0.22, 0.36), pose.at(0.36, 0.1), 0.05 * pose.height, look.vehicle)
    canvas.ellipse(pose.at(0.26, 0.07), (0.07 * pose.height,) * 2, look.vehicle, width=2)
    hip, shoulder = pose.at(-0.12, 0.44), pose.at(-0.1, 0.8)
    canvas.limb(hip, shoulder, 0.22 * pose.height, look.shirt)
    _bent_limb(canvas, hip, pose.at(0.2, 0.44), pose.at(0.3, 0.14), 1.2 * width, look.trousers)
    hub = pose.at(-0.08, radius)
    canvas.ellipse(hub, (radius * pose.height,) * 2, look.vehicle, width=3)
    canvas.ellipse(hub, (0.06 * pose.height,) * 2, look.vehicle)
    hand = pose.at(-0.08 + 0.16 * math.cos(pose.gait), 0.5 + 0.04 * math.sin(pose.gait))
    _bent_limb(canvas, shoulder, pose.at(-0.24, 0.6), hand, 0.08 * pose.height, look.shirt)
    _draw_head(canvas, pose, pose.at(-0.06, 0.97), look)


def draw_cart(canvas: Canvas, pose: Pose, look: Look) -> None:
    """A small service truck with its driver: cab, glass, two wheels, a load where there is a bag."""
    body, glass, tyre = look.vehicle, 0.45 * look.vehicle + 12, 32
    if look.bag is not None:
        canvas.polygon([pose.at(*p) for p in _LOAD], look.bag)
    canvas.polygon([pose.at(*p) for p in _BED], body)
    canvas.polygon([pose.at(*p) for p in _CAB], body)
    canvas.polygon([pose.at(*p) for p in _WINDOW], glass)
    _draw_head(canvas, pose, pose.at(0.27, 0.78), look)
    canvas.limb(pose.at(0.27, 0.6), pose.at(0.27, 0.67), 0.16 * pose.height, look.shirt)
    canvas.limb(pose.at(-0.8, 0.36), pose.at(0.8, 0.36), 2, 0.75 * body)
    for axle in (-0.54, 0.5):
        canvas.ellipse(pose.at(axle, 0.15), (0.16 * pose.height,) * 2, tyre)
        canvas.ellipse(pose.at(axle, 0.15), (0.065 * pose.height,) * 2, body)


_LOAD = ((-0.78, 0.5), (-0.78, 0.76), (-0.12, 0.76), (-0.12, 0.5))
_BED = ((-0.85, 0.16), (-0.85, 0.5), (0.1, 0.5), (0.1, 0.16))
_CAB = ((0.0, 0.16), (0.0, 1.03), (0.5, 1.03), (0.68, 0.6), (0.82, 0.53), (0.82, 0.16))
_WINDOW = ((0.08, 0.6), (0.08, 0.95), (0.45, 0.95), (0.59, 0.6))


def _fixed(point: Point) -> tuple[int, int]:
    scale = 1 << _SUBPIXEL_BITS
    return round(point[0] * scale), round(point[1] * scale)


def _bent_limb(
    canvas: Canvas, start: Point, joint: Point, end: Point, width: float, tone: float
) -> None:
    canvas.limb(start, joint, width, tone)
    canvas.limb(joint, end, 0.85 * width, tone)


def _leg_on_pedal(canvas: Canvas, pose: Pose, look: Look, angle: float, shade: float) -> None:
    pedal = pose.at(-0.04 + 0.1 * math.cos(angle), 0.24 - 0.1 * math.sin(angle))
    knee = pose.at(0.15 + 0.04 * math.cos(angle), 0.48 - 0.07 * math.sin(angle))
    width = 0.11 * pose.height
    _bent_limb(canvas, pose.at(-0.12, 0.62), knee, pedal, width, shade * look.trousers)


def _draw_head(canvas: Canvas, pose: Pose, centre: Point, look: Look) -> None:
    radius = 0.075 * pose.height
    canvas.ellipse(centre, (radius, 1.15 * radius), look.skin)
    crown = (centre[0] - pose.facing * 0.35 * radius, centre[1] - 0.45 * radius)
    canvas.ellipse(crown, (0.85 * radius, 0.75 * radius), look.hair)


def _draw_pedestrian(
    canvas: Canvas, pose: Pose, look: Look, swing: float, lean: float, elbow: float
) -> None:
    """Draws a person on foot: legs swing by `swing` radians, the trunk leans by `lean` heights."""
    hip, shoulder = pose.at(0.0, 0.5), pose.at(lean, 0.8)
    stride = math.sin(pose.gait)
    _draw_leg(canvas, pose, -swing * stride, pose.gait + math.pi, 0.8 * look.trousers)
    _draw_arm(canvas, pose, lean, swing * stride, elbow, 0.8 * look.shirt)
    if look.bag is not None:
        canvas.limb(
            pose.at(lean - 0.13, 0.75), pose.at(lean - 0.14, 0.61), 0.13 * pose.height, look.bag
        )
    canvas.limb(pose.at(0.0, 0.54), shoulder, 0.19 * pose.height, look.shirt)
    canvas.limb(hip, pose.at(0.0, 0.54), 0.16 * pose.height, look.trousers)
    _draw_leg(canvas, pose, swing * stride, pose.gait, look.trousers)
    _draw_arm(canvas, pose, lean, -swing * stride, elbow, 0.9 * look.shirt)
    _draw_head(canvas, pose, pose.at(1.4 * lean + 0.01, 0.94), look)


def _draw_leg(canvas: Canvas, pose: Pose, angle: float, gait: float, tone: float) -> None:
    bend = 0.15 + 0.45 * max(0.0, math.cos(gait))  # the knee bends while the leg swings forward
    knee = (0.26 * math.sin(angle), 0.5 - 0.26 * math.cos(angle))
    shin = angle - bend
    foot = (knee[0] + 0.24 * math.sin(shin), max(0.0, knee[1] - 0.24 * math.cos(shin)))
    width = 0.105 * pose.height
    _bent_limb(canvas, pose.at(0.0, 0.5), pose.at(*knee), pose.at(*foot), width, tone)
    canvas.limb(
        pose.at(*foot), pose.at(foot[0] + 0.07, foot[1] + 0.01), 0.06 * pose.height, 0.6 * tone
    )


def _draw_arm(
    canvas: Canvas, pose: Pose, lean: float, angle: float, elbow: float, tone: float
) -> None:
    shoulder = (lean, 0.77)
    joint = (shoulder[0] + 0.16 * math.sin(angle), shoulder[1] - 0.16 * math.cos(angle))
    lower = angle + elbow
    hand = (joint[0] + 0.15 * math.sin(lower), joint[1] - 0.15 * math.cos(lower))
    width = 0.07 * pose.height
    _bent_limb(canvas, pose.at(*shoulder), pose.at(*joint), pose.at(*hand), width, tone)
