"""What action recognisers see of a hand's joints, by name.

The wrist at the origin and bones of mean length are how the joints of First-Person Hand Action are to be normalised:
Garcia-Hernando et al., "First-Person Hand Action Benchmark with RGB-D Videos and 3D Hand Pose Annotations", CVPR 2018.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from vid_jax.hand_joints import SKELETONS

_SKELETON = SKELETONS["fhad"]  # and of the generated hands
_JOINTS = len(_SKELETON.joints)
_WRIST = 0
_MIDDLE, _LITTLE = (_SKELETON.joints.index(f"{finger} MCP") for finger in ("middle", "little"))
_PARENTS, _CHILDREN = np.array(_SKELETON.bones).T
_UNIT = 100.0  # mm
_SPEED_UNIT = 10.0  # mm a frame
_LOG_FRAMES = 4.3  # of about the median sequence
_FITTED_FRAMES = 100_000

Joints = Float[Array, "*batch time 21 3"]
Constants = dict[str, np.ndarray]


def _middle_mcp(joints: Joints, constants: Constants) -> Float[Array, "*batch time dim"]:
    """All joints from the middle finger's MCP."""
    return _flat(joints - joints[..., _MIDDLE : _MIDDLE + 1, :]) / _UNIT


def _wrist(joints: Joints, constants: Constants) -> Float[Array, "*batch time dim"]:
    """The other joints from the wrist, with bones of the training hands' mean length."""
    return _flat(mean_hand(joints, constants["bone_lengths"])[..., 1:, :]) / _UNIT


def _palm(joints: Joints, constants: Constants) -> Float[Array, "*batch time dim"]:
    """The same along the palm's own axes."""
    hand = mean_hand(joints, constants["bone_lengths"])[..., 1:, :]
    return _flat(_product(hand, palm_axes(joints))) / _UNIT


def _palm_rotation(joints: Joints, constants: Constants) -> Float[Array, "*batch time dim"]:
    """The palm's axes, 9 numbers."""
    return _flat(palm_axes(joints))


def _wrist_path(joints: Joints, constants: Constants) -> Float[Array, "*batch time dim"]:
    """The wrist from where it is in the first frame."""
    wrist = joints[..., _WRIST, :]
    return (wrist - wrist[..., :1, :]) / _UNIT


# Of one frame each.
POSES = {
    "middle_mcp": _middle_mcp,
    "wrist": _wrist,
    "palm": _palm,
    "palm_rotation": _palm_rotation,
}
# Of several frames; these are not reduced to principal components.
_OTHERS = ("wrist_path", "velocity", "log_length")
FEATURES = (*POSES, *_OTHERS)


@dataclasses.dataclass(frozen=True)
class FeatureSettings:
    """Which features: those of single poses as they are named, then the path, the velocity and the length.

    Attributes:
        names: of `FEATURES`. "velocity" are the differences of each frame's other features from those of the frame
            before, in the tenth part of their unit; "log_length" is the logarithm of the number of frames.
        resample: frames that each sequence is interpolated to; 0 leaves them as they are.
        pca: principal components that the features of single poses are reduced to together; 0 leaves them.
    """

    names: tuple[str, ...]
    resample: int = 0
    pca: int = 0

    @property
    def frame_by_frame(self) -> bool:
        """Whether the features of a frame are of no other."""
        return not self.resample and all(name in POSES for name in self.names)

    @property
    def poses(self) -> tuple[str, ...]:
        """The names of features of single poses."""
        return tuple(name for name in self.names if name in POSES)


def fit(frames: Float[np.ndarray, "frames 21 3"], settings: FeatureSettings) -> Constants:
    """The constants of the features: mean bone lengths of training frames in mm, and principal components.

    Returns:
        `bone_lengths` (20,), in the order of the skeleton's bones; with `pca`, `pca_mean` (d,) and `pca_components`
        (pca, d) as well.
    """
    frames = frames[:: -(-len(frames) // _FITTED_FRAMES)]
    bones = np.linalg.norm(frames[:, _CHILDREN] - frames[:, _PARENTS], axis=-1)
    constants = {"bone_lengths": bones.mean(0).astype(np.float32)}
    if settings.pca:
        from sklearn.decomposition import PCA

        poses = np.asarray(jax.jit(lambda x: _poses(x, settings, constants))(frames))
        pca = PCA(settings.pca, svd_solver="covariance_eigh").fit(poses.astype(np.float64))
        constants["pca_mean"] = pca.mean_.astype(np.float32)
        constants["pca_components"] = pca.components_.astype(np.float32)
    return constants


def initial_constants(settings: FeatureSettings) -> Constants:
    """Zeros in the shapes that `fit` gives."""
    constants = {"bone_lengths": np.zeros(len(_PARENTS), np.float32)}
    if settings.pca:
        dim = pose_dim(settings)
        constants["pca_mean"] = np.zeros(dim, np.float32)
        constants["pca_components"] = np.zeros((settings.pca, dim), np.float32)
    return constants


def pose_dim(settings: FeatureSettings) -> int:
    """Numbers of a single pose before they are reduced."""
    bones = {"bone_lengths": jax.ShapeDtypeStruct((len(_PARENTS),), jnp.float32)}
    frame = jax.ShapeDtypeStruct((1, _JOINTS, 3), jnp.float32)
    return jax.eval_shape(lambda x, c: _poses(x, settings, c), frame, bones).shape[-1]


def features(
    joints: Float[Array, "batch time 21 3"],
    length: Int[Array, " batch"],
    settings: FeatureSettings,
    constants: Constants,
) -> tuple[Float[Array, "batch frames dim"], Int[Array, " batch"]]:
    """The features of sequences in mm, 0 in the padding, and how many frames they have then."""
    seen = length
    if settings.resample:
        joints, length = resampled(joints, length, settings.resample)
    parts = [_poses(joints, settings, constants)] if settings.poses else []
    if "wrist_path" in settings.names:
        parts.append(_wrist_path(joints, constants))
    if "velocity" in settings.names:
        now = jnp.concatenate(parts, -1)
        parts.append(jnp.diff(now, axis=1, prepend=now[:, :1]) * (_UNIT / _SPEED_UNIT))
    if "log_length" in settings.names:
        logarithm = jnp.log(jnp.maximum(seen, 1)) - _LOG_FRAMES
        parts.append(jnp.broadcast_to(logarithm[:, None, None], (*joints.shape[:2], 1)))
    valid = jnp.arange(joints.shape[1]) < length[:, None]
    return jnp.where(valid[..., None], jnp.concatenate(parts, -1), 0), length


def steps(length: Int[Array, " batch"], settings: FeatureSettings) -> Int[Array, " batch"]:
    """How many frames of features sequences of `length` frames have."""
    return jnp.full_like(length, settings.resample) if settings.resample else length


def mean_hand(
    joints: Joints, bone_lengths: Float[Array, " bones"]
) -> Float[Array, "*batch time 21 3"]:
    """The joints from the wrist, each bone in its direction and of the given length."""
    bones = _unit(joints[..., _CHILDREN, :] - joints[..., _PARENTS, :]) * bone_lengths[:, None]
    return jnp.einsum("jb,...bx->...jx", _paths(), bones, precision=jax.lax.Precision.HIGHEST)


def palm_axes(joints: Joints) -> Float[Array, "*batch time 3 3"]:
    """Rows: across the palm, from the wrist to the middle finger's MCP, and out of the palm's plane.

    The plane is that of the wrist, the middle and the little finger's MCP.
    """
    wrist = joints[..., _WRIST, :]
    along = _unit(joints[..., _MIDDLE, :] - wrist)
    out = _unit(jnp.cross(along, joints[..., _LITTLE, :] - wrist))
    return jnp.stack([jnp.cross(along, out), along, out], -2)


def resampled(
    joints: Float[Array, "batch time 21 3"], length: Int[Array, " batch"], frames: int
) -> tuple[Float[Array, "batch frames 21 3"], Int[Array, " batch"]]:
    """Each sequence, linearly interpolated at so many frames at equal distances from its first to its last."""
    places = jnp.linspace(0, 1, frames) * (jnp.maximum(length, 1) - 1)[:, None]
    return interpolated(joints, places), jnp.full_like(length, frames)


def interpolated(
    joints: Float[Array, "batch time 21 3"], places: Float[Array, "batch frames"]
) -> Float[Array, "batch frames 21 3"]:
    """The joints between frames."""
    last = joints.shape[1] - 1
    before = jnp.clip(jnp.floor(places).astype(jnp.int32), 0, last)
    share = (places - before)[..., None, None]
    first, second = (
        jnp.take_along_axis(joints, i[..., None, None], axis=1)
        for i in (before, jnp.minimum(before + 1, last))
    )
    return first + share * (second - first)


def _poses(joints, settings: FeatureSettings, constants):
    parts = [POSES[name](joints, constants) for name in settings.poses]
    joined = jnp.concatenate(parts, -1)
    if "pca_components" in constants:
        joined = (joined - constants["pca_mean"]) @ constants["pca_components"].T
    return joined


def _paths() -> Float[np.ndarray, "joints bones"]:
    """1 where a bone lies between the wrist and a joint."""
    paths = np.zeros((_JOINTS, len(_PARENTS)), np.float32)
    for bone, (parent, child) in enumerate(_SKELETON.bones):
        paths[child] = paths[parent]
        paths[child, bone] = 1
    return paths


def _unit(vectors):
    # Joints that coincide, as those of the padding do, have no direction and no gradient.
    square = jnp.square(vectors).sum(-1, keepdims=True)
    return vectors * jax.lax.rsqrt(jnp.maximum(square, 1e-6))


def _product(vectors, axes):
    """Coordinates of vectors (..., n, 3) along axes (..., 3, 3); not as a product of matrices, whose factors
    accelerators round."""
    return (vectors[..., :, None, :] * axes[..., None, :, :]).sum(-1)


def _flat(x):
    return x.reshape(*x.shape[:-2], -1)
