"""Errors in the drop-ins' derivative rules."""

FORWARDS = "tests/test_against_autodiff.py::test_forwards_of_jax_nn_and_optax_and_of_our_own_nn"
MASKED = "tests/nn/test_masked_classes.py"
LINEAR = "tests/nn/linear_cross_entropy/test_loss.py"

EDITS: dict[str, list[tuple[str, str, str]]] = {
    "sigmoid.py": [
        ("sigmoid_grad(x) * t", "-sigmoid_grad(x) * t", f"{FORWARDS}[sigmoid_grad]"),
        ("return first, second * t", "return first, first * t", "tests/nn/test_sigmoid.py"),
    ],
    "softmax.py": [
        ("return g, probability_tangent(g, mask, t)", "return g, g * t", f"{FORWARDS}[softmax_jacobian]"),
        ("return log_g, log_probability_tangent(g, mask, t)", "return log_g, t", "tests/nn/test_softmax.py"),
        ("only(g != 0, tangent)", "tangent", MASKED),
        ("shifted - (g * shifted)", "shifted + (g * shifted)", f"{FORWARDS}[softmax_vjp]"),
    ],
    "cross_entropy_rows.py": [
        (
            "return value, inner(gradient, t, mask is not None)",
            "return value, -inner(gradient, t, mask is not None)",
            f"{FORWARDS}[softmax_cross_entropy_grad-integer]",
        ),
        (
            "by_logits = weight * probability_tangent(",
            "by_logits = probability_tangent(0 * ",
            f"{FORWARDS}[softmax_cross_entropy_hessian-integer]",
        ),
        (
            "gradient_dot += weight * probability_tangent",
            "gradient_dot += probability_tangent",
            f"{FORWARDS}[softmax_cross_entropy_hvp-distribution]",
        ),
        (
            "tangent = inner(gradient, s_dot, mask is not None)",
            "tangent = 2 * inner(gradient, s_dot, mask is not None)",
            f"{FORWARDS}[softmax_cross_entropy_jvp-distribution]",
        ),
        ("jnp.where(is_infinite, t * largest, 0) * jnp.copysign(largest, cost)", "0 * t", MASKED),
        ("jnp.where(is_infinite, t * largest, 0)", "(t * jnp.where(is_infinite, jnp.inf, 0))", MASKED),
        ("return finite(*primals), tangents[0]", "return finite(*primals), finite(*primals) * 0", MASKED),
    ],
    "linear_cross_entropy/tiles.py": [
        ("jnp.expm1(-loss)", "(jnp.exp(-loss) - 1)", f"{LINEAR}::test_saturated_examples_keep_their_digits"),
        ("return dh_T + matmul(weights_T, G)", "return matmul(weights_T, G)", f"{LINEAR}::test_prime_sizes"),
    ],
    "two_layer.py": [("sigmoid(matmul(", "sigmoid(-matmul(", f"{FORWARDS}[two_layer_grads-integer]")],
}
