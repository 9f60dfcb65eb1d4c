"""A matrix product whose gradients are fast on CPU."""

import jax
from jax import lax
from jaxtyping import Array, Float


@jax.custom_vjp
def product(x: Float[Array, "rows in"], kernel: Float[Array, "in out"]) -> Float[Array, "rows out"]:
    """`x @ kernel`; the kernel's gradient transposes the narrower of its operands.

    On CPU a product of few by many columns takes half the time of one of many by few.
    """
    return x @ kernel


def _forward(x, kernel):
    return x @ kernel, (x, kernel)


def _backward(saved, dy):
    x, kernel = saved
    if x.shape[1] <= dy.shape[1]:
        return dy @ kernel.T, x.T @ dy
    return dy @ kernel.T, lax.optimization_barrier(dy.T @ x).T


product.defvjp(_forward, _backward)
