"""PredNet against a float64 NumPy loop of its equations."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vid_jax.models.prednet import PredNet, output_names


def convolve(x, kernel, bias):
    """Correlation of unchanged size with an odd kernel."""
    reach = kernel.shape[0] // 2
    padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    height, width = x.shape[1:3]
    return bias + sum(
        padded[:, i : i + height, j : j + width] @ kernel[i, j]
        for i, j in np.ndindex(kernel.shape[:2])
    )


def relu(x):
    return np.maximum(x, 0)


def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def reference(network, params, video):
    """All outputs by name, from the published equations, in float64."""
    layers = range(len(network.stack_sizes))
    params = {name: np.asarray(array, np.float64) for name, array in params.items()}
    weights = {
        f"{name}{layer}": (params[f"{name}{layer}_kernel"], params[f"{name}{layer}_bias"])
        for name in ("R", "A", "Ahat")
        for layer in layers
        if f"{name}{layer}_kernel" in params
    }
    batch, _, height, width, _ = video.shape

    def zeros(layer, channels):
        return np.zeros((batch, height // 2**layer, width // 2**layer, channels))

    R = {layer: zeros(layer, network.R_stack_sizes[layer]) for layer in layers}
    C = dict(R)
    E = {layer: zeros(layer, 2 * network.stack_sizes[layer]) for layer in layers}
    outputs = {name: [] for name in output_names(len(layers))}
    for frame in video.astype(np.float64).swapaxes(0, 1):
        for layer in reversed(layers):
            inputs = [R[layer], E[layer]]
            if layer + 1 in layers:
                inputs.append(R[layer + 1].repeat(2, 1).repeat(2, 2))
            gates = convolve(np.concatenate(inputs, -1), *weights[f"R{layer}"])
            i, f, o, g = np.split(gates, 4, -1)
            C[layer] = hard_sigmoid(f) * C[layer] + hard_sigmoid(i) * np.tanh(g)
            R[layer] = hard_sigmoid(o) * np.tanh(C[layer])
        A = frame
        for layer in layers:
            Ahat = relu(convolve(R[layer], *weights[f"Ahat{layer}"]))
            if layer == 0:
                Ahat = np.minimum(Ahat, 1)
                outputs["prediction"].append(Ahat)
            E[layer] = np.concatenate([relu(Ahat - A), relu(A - Ahat)], -1)
            for name, value in (("R", R[layer]), ("E", E[layer]), ("A", A), ("Ahat", Ahat)):
                outputs[f"{name}{layer}"].append(value)
            if layer + 1 in layers:
                A = relu(convolve(E[layer], *weights[f"A{layer}"]))
                A = A.reshape(batch, A.shape[1] // 2, 2, A.shape[2] // 2, 2, -1).max((2, 4))
        outputs["error"].append(np.stack([E[layer].mean((1, 2, 3)) for layer in layers], -1))
    return {name: np.stack(steps, 1) for name, steps in outputs.items()}


NARROW = PredNet(
    stack_sizes=(3, 5, 6),
    R_stack_sizes=(4, 7, 5),
    A_filter_sizes=(5, 3),
    Ahat_filter_sizes=(3, 5, 3),
    R_filter_sizes=(5, 3, 5),
)
WIDE = PredNet(  # enough channels for what CPU does with them
    stack_sizes=(3, 32, 16),
    R_stack_sizes=(4, 34, 40),
    A_filter_sizes=(3, 3),
    Ahat_filter_sizes=(5, 3, 3),
    R_filter_sizes=(3, 3, 3),
)


@functools.cache
def params_and_video(network, frames=5, size=(8, 12)):
    """Parameters in whose reach nonlinearities saturate, with biases, and video in [0, 1]."""
    rng = np.random.default_rng(0)
    video = rng.random((2, frames, *size, network.stack_sizes[0])).astype(np.float32)
    params = jax.jit(network.init)(jax.random.key(0), video)["params"]
    noisy = {
        name: np.float32(2 * array + rng.normal(scale=0.5, size=array.shape))
        if name.endswith("bias")
        else np.float32(2 * array)
        for name, array in params.items()
    }
    return noisy, video


@functools.partial(jax.jit, static_argnums=(0, 3))
def everything(network, params, video, extrap_start_time=None):
    names = output_names(len(network.stack_sizes))
    return network.apply({"params": params}, video, names, extrap_start_time)


def assert_same(outputs, expected, tolerance=1e-5):
    assert outputs.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(outputs[name], array, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize(("channels", "count"), [(3, 6_915_948), (1, 6_909_818)])
def test_parameter_count_of_the_published_network(channels, count):
    sizes = (channels, 48, 96, 192)
    network = PredNet(stack_sizes=sizes, R_stack_sizes=sizes)
    video = jnp.zeros((1, 2, 16, 16, channels))
    variables = jax.eval_shape(network.init, jax.random.key(0), video)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == count


@pytest.mark.parametrize("network", [NARROW, WIDE], ids=["narrow", "wide"])
def test_outputs_agree_with_a_plain_loop_of_the_equations(network):
    params, video = params_and_video(network)
    expected = reference(network, params, video)
    assert_same(everything(network, params, video), expected)
    prediction = expected["prediction"]
    assert (prediction == 0).any()
    assert (prediction == 1).any()
    assert ((prediction > 0) & (prediction < 1)).any()


@pytest.mark.parametrize("network", [NARROW, WIDE], ids=["narrow", "wide"])
def test_gradient_agrees_with_differences_of_the_plain_loop(network):
    params, video = params_and_video(network)
    weights = np.random.default_rng(1).random((video.shape[1], len(network.stack_sizes)))

    def loss(outputs):
        return (outputs["error"] * weights).sum()

    gradient = jax.jit(
        jax.grad(lambda params: loss(network.apply({"params": params}, video, ("error",))))
    )(params)
    rng = np.random.default_rng(2)
    for name in params:
        direction = np.sign(np.asarray(gradient[name], np.float64))
        direction *= rng.random(direction.shape)
        there, back = (
            loss(reference(network, params | {name: params[name] + step * direction}, video))
            for step in (1e-7, -1e-7)
        )
        slope = float((gradient[name] * direction).sum())
        assert slope > 0, name
        assert slope == pytest.approx((there - back) / 2e-7, rel=1e-4), name


def test_a_frame_is_predicted_from_those_before_it():
    params, video = params_and_video(NARROW)
    perturbed = video.copy()
    perturbed[:, 2] = 1 - perturbed[:, 2]
    before, after = (everything(NARROW, params, v) for v in (video, perturbed))
    for name in ("prediction", "R0", "R1", "R2", "Ahat0", "Ahat1", "Ahat2"):
        np.testing.assert_array_equal(after[name][:, :3], before[name][:, :3], err_msg=name)
        for t in (3, 4):
            assert np.abs(after[name][:, t] - before[name][:, t]).max() > 1e-4, name
    for name in ("error", "E0", "A0", "E1", "A1"):
        np.testing.assert_array_equal(after[name][:, :2], before[name][:, :2], err_msg=name)
        assert np.abs(after[name][:, 2] - before[name][:, 2]).max() > 1e-4, name


def test_error_of_the_lowest_layer_is_half_the_mean_absolute_error():
    params, video = params_and_video(NARROW)
    outputs = everything(NARROW, params, video)
    absolute = np.abs(outputs["prediction"] - video).mean((2, 3, 4))
    np.testing.assert_allclose(outputs["error"][..., 0], 0.5 * absolute, rtol=1e-5)
    for layer in range(3):
        mean = outputs[f"E{layer}"].mean((2, 3, 4))
        np.testing.assert_allclose(outputs["error"][..., layer], mean, rtol=1e-5)


def test_extrapolation_ignores_frames_from_its_start():
    params, video = params_and_video(NARROW)
    start = 3
    extrapolated = everything(NARROW, params, video, start)
    noise = video.copy()
    noise[:, start:] = np.nan
    assert_same(everything(NARROW, params, noise, start), extrapolated, tolerance=0)
    observed = everything(NARROW, params, video)
    for name in ("prediction", "A0"):
        np.testing.assert_array_equal(extrapolated[name][:, :start], observed[name][:, :start])
    assert np.abs(extrapolated["A0"] - observed["A0"])[:, start:].max() > 1e-2


def test_extrapolation_is_feeding_predictions_by_hand():
    params, video = params_and_video(NARROW)
    start, fed = 2, video.copy()
    for t in range(start, video.shape[1]):
        fed[:, t] = everything(NARROW, params, fed)["prediction"][:, t - 1]
    assert_same(everything(NARROW, params, video, start), everything(NARROW, params, fed), 1e-6)


def test_extrapolation_that_starts_after_the_last_frame_changes_nothing():
    params, video = params_and_video(NARROW)
    outputs = everything(NARROW, params, video, video.shape[1])
    assert_same(outputs, everything(NARROW, params, video), tolerance=0)


def test_gradient_of_many_frames_is_finite_and_reaches_every_parameter():
    params, video = params_and_video(NARROW, frames=20)

    def loss(params):
        return NARROW.apply({"params": params}, video, ("error",))["error"].mean()

    for name, gradient in jax.jit(jax.grad(loss))(params).items():
        assert np.isfinite(gradient).all(), name
        assert np.abs(gradient).max() > 0, name


@pytest.mark.parametrize("name", ["errors", "R3", "A-1", "E"])
def test_unknown_outputs_are_refused(name):
    params, video = params_and_video(NARROW)
    message = f"output '{name}' is unknown; use prediction, error, or R, E, A or Ahat and a layer from 0 to 2"
    with pytest.raises(ValueError, match=message):
        NARROW.apply({"params": params}, video, ("error", name))


def test_gates_start_as_convolutions_of_their_own():
    """Glorot's uniform limits are those of one gate's outputs; biases start at zero."""
    network = PredNet(stack_sizes=(3, 16), R_stack_sizes=(8, 16), A_filter_sizes=(3,))
    params = jax.jit(network.init)(jax.random.key(0), jnp.zeros((1, 1, 4, 4, 3)))["params"]
    for layer, inputs, outputs in ((0, 8 + 6 + 16, 8), (1, 16 + 32, 16)):
        gates = np.split(np.asarray(params[f"R{layer}_kernel"]), 4, axis=-1)
        limit = np.sqrt(6 / (9 * inputs + 9 * outputs))
        for gate in gates:
            assert gate.shape == (3, 3, inputs, outputs)
            assert 0.98 * limit < np.abs(gate).max() <= limit
            assert gate.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)
        assert len({gate.tobytes() for gate in gates}) == 4
    for name, array in params.items():
        assert not name.endswith("bias") or (array == 0).all()


def test_the_program_does_not_grow_with_the_frames():
    params, _ = params_and_video(NARROW)

    def loss(params, video):
        outputs = NARROW.apply({"params": params}, video, ("error", "prediction"), 3)
        return outputs["error"].mean() + outputs["prediction"].mean()

    def program(frames):
        video = jax.ShapeDtypeStruct((2, frames, 8, 12, 3), jnp.float32)
        return jax.jit(jax.grad(loss)).lower(params, video).as_text().splitlines()

    assert len(program(4)) == len(program(12))
