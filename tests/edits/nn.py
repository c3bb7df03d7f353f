"""Errors in the drop-ins' derivative rules."""

FORWARDS = "tests/test_against_autodiff.py::test_forwards_of_jax_nn_and_optax_and_of_our_own_nn"
MASKED = "tests/nn/test_masked_classes.py"
LINEAR = "tests/nn/linear_cross_entropy/test_loss.py"
OPTIONS = "tests/nn/linear_cross_entropy/test_options.py"
CERTIFIED = "tests/nn/linear_cross_entropy/test_certified.py"
LOSSES = "test_saturated_examples_have_the_losses_that_balls_have"
GRADIENTS = "test_saturated_examples_have_the_gradients_that_balls_have"
PRODUCTS = "tests/nn/linear_cross_entropy/test_products.py"
PLATFORMS = "tests/nn/linear_cross_entropy/test_platforms.py"
SHARDED = "tests/nn/sharding/test_sharding.py"
WITHIN = f"{OPTIONS}::test_all_options_within_their_bounds_in_float32"
WITHIN_SUM = f"{OPTIONS}::test_every_option_is_in_every_reduction"
DIGITS = f"{OPTIONS}::test_no_option_costs_a_saturated_example_its_digits"
ACCELERATOR = f"{PLATFORMS}::test_an_accelerator_s_way_gives_the_true_gradients"
SATURATED = "test_saturated_examples_keep_their_digits"
MASKED_LABEL = "test_a_masked_label_costs_infinity_and_has_a_finite_gradient"

EDITS: dict[str, list[tuple[str, str, str]]] = {
    "sigmoid.py": [
        ("sigmoid_grad(x) * t", "-sigmoid_grad(x) * t", f"{FORWARDS}[sigmoid_grad]"),
        ("return first, second * t", "return first, first * t", "tests/nn/test_sigmoid.py"),
    ],
    "softmax.py": [
        ("return g, probability_tangent(g, mask, t)", "return g, g * t", f"{FORWARDS}[softmax_jacobian]"),
        ("return log_g, log_probability_tangent(g, mask, t)", "return log_g, t", "tests/nn/test_softmax.py"),
        ("only(g != 0, minus_sum_at(i, tangent))", "minus_sum_at(i, tangent)", MASKED),
        ("t - total(wide * t)", "t + total(wide * t)", f"{FORWARDS}[softmax_vjp]"),
        ("if is_sharded(x):", "if False:", "tests/nn/sharding/test_sharding.py"),
    ],
    "cross_entropy_rows.py": [
        (
            "return value, inner(gradient, only(",
            "return value, -inner(gradient, only(",
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
            "tangent = inner(gradient, only(mask, s_dot))",
            "tangent = 2 * inner(gradient, only(mask, s_dot))",
            f"{FORWARDS}[softmax_cross_entropy_jvp-distribution]",
        ),
        (
            "inner(gradient, only(mask, s_dot))\n        gradient_dot",
            "inner(gradient, s_dot)\n        gradient_dot",
            MASKED,
        ),
        (
            "label_rate(costs(s, mask), only(mask, y_dot)).astype(s.dtype)\n    return value, tangent",
            "label_rate(costs(s, mask), y_dot).astype(s.dtype)\n    return value, tangent",
            MASKED,
        ),
        (
            "return total(widen(gradient)",
            "t = jnp.where(gradient == 0, 0, t)\n    return total(widen(gradient)",
            MASKED,
        ),
        ("(mask | is_class(i, s))", "mask", MASKED),
        (" & mask.any(-1)[..., None]", "", MASKED),
    ],
    "linear_cross_entropy/tiles.py": [
        ("return summed([dh_T, *(", "return summed([*(", f"{LINEAR}::test_prime_sizes"),
        ("s = capped(s, settings)\n        others", "others", f"{WITHIN}"),
        ("else so_far.spread + (finite_s_y - s)", "else so_far.spread + (finite_s_y - 2 * s)", WITHIN),
        ("shift = jnp.where(m == -jnp.inf, 0, m)", "shift = m", f"{OPTIONS}::{MASKED_LABEL}"),
        ("loss=ahead + log_sum", "loss=(jnp.maximum(m, s_y) + log_sum) - s_y", f"{CERTIFIED}::{LOSSES}"),
        (
            "log_z=jnp.maximum(m, s_y) + log_sum",
            "log_z=jnp.maximum(m, s_y) + jnp.log(o * jnp.exp(jnp.minimum(d, 0)) + jnp.exp(-ahead))",
            f"{CERTIFIED}::{GRADIENTS}",
        ),
        ("jnp.expm1(-ahead)", "(jnp.exp(-ahead) - 2)", f"{CERTIFIED}::{LOSSES}"),
        ("dB *= layer.scale.astype(dtype)", "pass", WITHIN),
        ("dB += rows(written, first, classes)", "pass", ACCELERATOR),
        ("rows(dbias, first, classes) + G.sum(1)", "G.sum(1)", ACCELERATOR),
        ("total(running.spread, axis)", "running.spread", SHARDED),
        ("(layer.h * dh).sum()", "dh.sum()", WITHIN),
        (
            "jnp.where(top > value, at, index)",
            "jnp.where(top >= value, at, index)",
            f"{OPTIONS}::test_the_prediction_is_the_first_class_of_the_largest_logit",
        ),
        (
            "larger(so_far.best, s, first)",
            "larger(so_far.best, capped(s, settings), first)",
            f"{OPTIONS}::test_the_prediction_is_the_largest_logit_s_class_where_the_cap_saturates",
        ),
    ],
    "linear_cross_entropy/logits.py": [
        ("jnp.expm1(-found.loss), g", "jnp.exp(-found.loss) - 1, g", f"{LINEAR}::{SATURATED}"),
        ("= jnp.expm1(-found.loss)", "= jnp.exp(-found.loss) - 1", f"{CERTIFIED}::{GRADIENTS}"),
        ("G *= 4 * e / jnp.square(1 + e)", "pass", WITHIN),
        ("G *= 4 * e / jnp.square(1 + e)", "G *= 1 - jnp.square(jnp.tanh(s / settings.soft_cap))", DIGITS),
        ("jnp.exp(capped(s, settings) - found.log_z)", "jnp.exp(s - found.log_z)", WITHIN),
        (
            "capped(of_labels(uncapped, y, layer, settings, jnp.nan), settings)",
            "of_labels(uncapped, y, layer, settings, jnp.nan)",
            WITHIN,
        ),
        ("settings.label_smoothing * (1 - 1 / classes)", "settings.label_smoothing", WITHIN),
        ("of_others - settings.label_smoothing / classes", "of_others", WITHIN),
        ("found.log_z * g", "found.log_z * jnp.where(label, 0, g)", WITHIN),
        (
            "affine(products, layer, None if layer.bias is None else layer.bias[local])",
            "affine(products, layer, None)",
            WITHIN,
        ),
        ("local, 0)), 0), settings.axis)", "local, 0)), 0), None)", SHARDED),
    ],
    "linear_cross_entropy/rules.py": [
        ("weigh(shares.of_normalizer, losses.penalty, layer).sum()", "0", WITHIN_SUM),
        ("Shares(cotangents.loss, cotangents.penalty)", "Shares(cotangents.loss, None)", WITHIN),
        ("total(changed(grads, t, layer.dtype), settings.axis)", "changed(grads, t, layer.dtype)", SHARDED),
        ("if layer.bias is None else finite_product(share, cost)", "", f"{OPTIONS}::{MASKED_LABEL}"),
        ("lambda c: lax.psum(c, settings.axis), shares", "lambda c: c, shares", SHARDED),
    ],
    "linear_cross_entropy/products.py": [
        ("lax.reduce_precision(G, exponent_bits=info.nexp, mantissa_bits=info.nmant)", "G", PRODUCTS),
        ("[high.astype(self.operand), (G - high).astype(self.operand)]", "[high.astype(self.operand)]", PRODUCTS),
        ("return [G.astype(self.operand)]", "return [G]", PRODUCTS),
        ("chosen or Precision.HIGHEST", "chosen or Precision.DEFAULT", PRODUCTS),
        ("if self.operand != jnp.float16:", "if True:", f"{LINEAR}::test_float16_holds_the_products_of_any_weight"),
    ],
    "linear_cross_entropy/platforms.py": [
        (
            "// ACCELERATOR_LANES\n",
            "// ACCELERATOR_LANES // 2\n",
            f"{PLATFORMS}::test_an_accelerator_s_tile_has_some_2_26_logits",
        ),
        ("default=given(accelerator_tiling(examples))", "default=given(cpu_tiling(examples))", PLATFORMS),
    ],
    "linear_cross_entropy/blocks.py": [
        ("sums.scale + new.scale", "new.scale", ACCELERATOR),
        ("else once(some)", "else some", PLATFORMS),
    ],
    "linear_cross_entropy/inputs.py": [
        ("(labels != int(ignore_index)) & where", "where", "tests/nn/linear_cross_entropy/test_inputs.py"),
    ],
    "two_layer.py": [("sigmoid(matmul(", "sigmoid(-matmul(", f"{FORWARDS}[two_layer_grads-integer]")],
}
