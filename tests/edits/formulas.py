"""Errors in the formulas, nearly all of which the comparison with autodiff catches."""

FILE = "tests/test_against_autodiff.py"


def one(rule: str, dtype: str = "float32") -> str:
    """The comparison for one example."""
    return f"{FILE}::test_one_example[{dtype}-{rule}]"


def batch(rule: str, dtype: str = "float32") -> str:
    """The comparison for a batch."""
    return f"{FILE}::test_batch[{dtype}-{rule}]"


def many(rule: str) -> str:
    """The comparison for a batch so large that other ways are chosen."""
    return f"{FILE}::test_large_batch[{rule}]"


LARGE = "linear_softmax_cross_entropy_grads"
KEPT = f"tests/accuracy/test_survey.py::test_promise[{LARGE}-float32-10-index]"
GRAD = "softmax_cross_entropy_grad"
QUICK, REDUCTIONS, ROWS = (f"tests/formulas/stable/test_{name}.py" for name in ("quick", "reductions", "rows"))

EDITS: dict[str, list[tuple[str, str, str]]] = {
    "sigmoid.py": [
        ("jnp.exp(-widen(z))", "jnp.exp(widen(z))", one("sigmoid")),
        ("e * (2 + e)", "e * (1 + e)", one("sigmoid_grad")),
        (
            "return (e / (1 + e * (2 + e))).astype(z.dtype)",
            "return e / (1 + e * (2 + e))",
            one("sigmoid_grad", "float16"),
        ),
        ("[..., None, :], 0)", "[..., None, :], 1)", one("sigmoid_jacobian")),
        ("[..., None, :], 0)", "[..., None, :], jnp.nan)", one("sigmoid_jacobian")),
        ("sigmoid_grad(z)[..., None, :]", "sigmoid_grad(z).sum(0)", batch("sigmoid_jacobian")),
    ],
    "softmax.py": [
        (
            "weighted_jacobian(one, widen(logits)).astype(logits.dtype)",
            "weighted_jacobian(one, widen(logits))",
            one("softmax_jacobian", "bfloat16"),
        ),
        ("jacobian_product(logits, c, jnp", "c - jacobian_product(logits, c, jnp", one("softmax_vjp")),
        ("jacobian_product(logits, t, jnp", "jacobian_product(t, logits, jnp", one("softmax_jvp")),
    ],
    "stable/softmax.py": [
        ("(row_sum(e) / unit)[..., None]", "row_sum(e)[..., None]", one("softmax")),
        ("-e[..., None, :])", "e[..., None, :])", one("softmax_jacobian")),
        ("others, total - e)", "others, total)", one("softmax_jacobian")),
        (
            "first, last = jnp.where(small, 1, weight), jnp.where(small, weight, 1)",
            "first, last = weight, jnp.ones_like(weight)",
            "tests/formulas/stable/test_softmax.py",
        ),
        ("(first[..., None] / total**2)", "(first[..., None] / total)", one("softmax_jacobian")),
        ("- mean[..., None])", "+ mean[..., None])", one("softmax_jvp")),
        ("mean = row_sum(g * difference)", "mean = row_sum(e * difference)", one("softmax_vjp")),
        (
            "mean = row_sum(g * difference)",
            "mean = row_sum(e * difference) / total",
            "tests/edge_contract/test_logits.py",
        ),
        ("(s - m[..., None]) - log_sum[..., None]", "(s - m[..., None]) + log_sum[..., None]", one("log_softmax")),
    ],
    "logloss.py": [
        ("return -weighted_sum", "return weighted_sum", one("logloss-integer")),
        ("-y / jnp.where(", "-y * jnp.where(", one("logloss_grad-integer")),
        ("-y / jnp.where(", "-jnp.sign(y) / jnp.where(", one("logloss_grad-distribution")),
        (
            "none, -y / jnp.where(is_none, 1, g)",
            "0, -y / jnp.where(is_none, 1, g)",
            "tests/formulas/test_label_derivatives.py",
        ),
    ],
    "stable/exponentials.py": [
        ("- n * form.ln2_low + rounded_off", "+ rounded_off", one("softmax", "float64")),
        ("range(2, form.degree)", "range(3, form.degree)", one("softmax", "float64")),
    ],
    "stable/quick.py": [
        ("return e / sum_e[..., None], within", "return e / (sum_e + 1)[..., None], within", many("softmax")),
        ("return jnp.log1p(others / e_i), ", "return jnp.log(1 + others / e_i), ", QUICK),
        ("gradient), right & within(others, e_i)", "gradient), right", QUICK),
        ("return (log_g, g), right & none_underflows(s, sum_e)", "return (log_g, g), right", QUICK),
        ("value_right & gradient_right\n    e =", "value_right\n    e =", QUICK),
        ("return product, right & within(sum_e) & none_underflows(s, sum_e)", "return product, right", QUICK),
        ("return (jnp.log1p(others / e_i), gradient)", "return (jnp.log(1 + others / e_i), gradient)", QUICK),
        ("i, -others / sum_e)", "i, e_i / sum_e - 1)", QUICK),
        ("return (s - m[..., None]) - log_sum", "return (s + m[..., None]) - log_sum", many("log_softmax")),
        ("value = cost + weight * log_sum", "value = cost + log_sum", QUICK),
        ("value, right & ~jnp.isnan(value)", "value, right", QUICK),
        ("gradient_right & ~jnp.isnan(value)", "gradient_right", QUICK),
        ("others_y * (e_i / sum_e) - y_i", "(1 - y_i) * (e_i / sum_e) - y_i", QUICK),
        ("e / sum_e[..., None] * weight[..., None] - y", "e * (weight / sum_e)[..., None] - y", QUICK),
        ("- mean[..., None]) * c[..., None]", "- mean[..., None])", QUICK),
    ],
    "stable/parts.py": [
        ("jnp.exp(entry(s, i)) > sum_e / 2", "jnp.exp(entry(s, i)) > 2 * sum_e", QUICK),
        ("jnp.where(s < m[..., None], e, 0)", "e", QUICK),
        ("jnp.where(is_i, 0, e), jnp.where(is_i, e, 0)", "e, jnp.where(is_i, e, 0)", QUICK),
        ("jnp.where(i < s.shape[-1], e_i, jnp.nan)", "e_i", "tests/edge_contract/test_labels.py"),
        ("(others_b + jnp.minimum(largest_a, largest_b))", "jnp.minimum(largest_a, largest_b)", QUICK),
        ("jnp.minimum(largest_a, largest_b)", "largest_b", QUICK),
        ("jnp.log1p(others / largest), within(largest, others)", "jnp.log1p(others / largest), True", QUICK),
        ("others_y_a + (others_y_b + y_j)", "others_y_a + y_j", QUICK),
        ("others_a + (others_b + e_j), *added", "others_a + others_b + e_i, *added", QUICK),
        ("jnp.where(e_a >= e_b, t_a, t_b)", "t_a", QUICK),
        ("jnp.abs(y_a) >= jnp.abs(y_b)", "y_a >= y_b", QUICK),
        ("jnp.round((sum_e - others) / largest) - 1", "(sum_e - others) / largest - 1", QUICK),
        ("& ((ties > 0) | (others >= MIN_SUM))", "", QUICK),
        ("((ties > 0) | (others >= MIN_SUM))", "(others >= MIN_SUM)", QUICK),
    ],
    "stable/row_sums.py": [
        ("MAX_WRITTEN_OUT or is_sharded(x, i)", "MAX_WRITTEN_OUT", "tests/nn/sharding/test_sharding.py"),
        ("right &= (x >= MIN_SUM) & (x <= MAX_SUM)", "right &= x <= MAX_SUM", QUICK),
        ("right &= (x >= MIN_SUM) & (x <= MAX_SUM)", "right &= x >= MIN_SUM", QUICK),
        ("s.min() > MIN_LOGIT", "s.min() > 2 * MIN_LOGIT", QUICK),
        ("return mean, jnp.isfinite(mean)", "return mean, jnp.ones(sum_e.shape, bool)", QUICK),
        ("return jnp.exp(s.max(-1)) if", "return jnp.ones_like(sum_e) if", QUICK),
        (
            "unit = 1 / lax.reduce_precision(sum_e, jnp.finfo(sum_e.dtype).nexp, 0)",
            "unit = jnp.ones_like(sum_e)",
            QUICK,
        ),
        ("((sum_e >= 0.5) | (jnp.abs(products) >= MIN_PRODUCTS))", "True", QUICK),
        ("jnp.isfinite(products) & ", "", QUICK),
        ("sum_e < 1\n", "sum_e < 0.1\n", QUICK),
        ("MIN_PRODUCTS = 2.0**-80", "MIN_PRODUCTS = 2.0**-125", QUICK),
        ("return sum_x + off", "return sum_x", QUICK),
        ("(t_i == 0).all()", "(t_i == 0).any()", QUICK),
        ("lax.cond((t_i == 0).all(), unshifted, shifted)", "total(e * (t - t_i[..., None]))", QUICK),
        ("(lambda: total(jnp.exp(s) * t))", "(lambda: total(e))", QUICK),
    ],
    "stable/reductions.py": [
        ("max(n for n in range", "min(n for n in range", REDUCTIONS),
        ("range(1, MAX_GROUP + 1)", "range(1, MAX_GROUP)", REDUCTIONS),
        (" and max(found) <= MAX_GROUP", "", REDUCTIONS),
        ("x.astype(floats) if", "x if", QUICK),
        ("(*batch, terms)", "(terms, *batch)", REDUCTIONS),
    ],
    "stable/rows.py": [
        ("results, ~right, s, *rest)", "results, right & False, s, *rest)", QUICK),
        ("(next_marked(-1), flat_results)", "(next_marked(0), flat_results)", ROWS),
        ("(marked & (jnp.arange(blocks + 1) > j), 0", "((jnp.arange(blocks + 1) > j), 0", ROWS),
        ("start = j * size", "start = j", ROWS),
        ("return quickly(careful, quick, *primals), rates", "return quickly(careful, quick, *primals), _", ROWS),
    ],
    "stable/sums.py": [
        ("isinstance(x.size, int) and x.size", "x.size", "tests/formulas/test_symbolic_batch.py"),
        ("AxisType.Explicit in jax", "AxisType.Auto in jax", "tests/nn/sharding/test_sharding.py"),
        ("x.sum(-1) if many_rows", "x.max(-1) if many_rows", "tests/formulas/stable/test_sums.py"),
        (" and x.size > x.shape[-1]", "", "tests/formulas/stable/test_sums.py"),
        ("jnp.where(y == 0, 0, y * x)", "jnp.where(y == 0, 0, x)", "tests/formulas/stable/test_sums.py"),
        (
            "jnp.where(is_infinite, t * largest, 0) * jnp.copysign(largest, x)",
            "0 * t",
            "tests/nn/test_masked_classes.py",
        ),
        (
            "jnp.where(is_infinite, t * largest, 0)",
            "(t * jnp.where(is_infinite, jnp.inf, 0))",
            "tests/nn/test_masked_classes.py",
        ),
        (
            "return finite(*primals), tangents[0]",
            "return finite(*primals), finite(*primals) * 0",
            "tests/nn/test_masked_classes.py",
        ),
        ("jnp.where((y == 0) & ~jnp.isfinite(x), 0, y * t_x)", "y * t_x", "tests/formulas/test_label_derivatives.py"),
        ("(y == 0) & ~jnp.isfinite(x)", "y == 0", "tests/formulas/test_label_derivatives.py"),
        (
            "rate += rate_of_weight(t_y, x)",
            "rate += jnp.where(y == 0, 0, x * t_y)",
            "tests/formulas/test_label_derivatives.py",
        ),
        ("jnp.where(y == 0, 0, y * x)", "y * x", "tests/formulas/stable/test_sums.py"),
        ("a[1] + b[1] + error", "a[1] + error", "tests/formulas/stable/test_sums.py"),
        ("jnp.where(jnp.isfinite(total), total + off, total)", "total", "tests/formulas/stable/test_sums.py"),
        ("jnp.where(jnp.isfinite(total), total + off, total)", "total + off", "tests/formulas/stable/test_sums.py"),
        ("jnp.matmul(x_dot, jnp.ones", "jnp.matmul(x, jnp.ones", "tests/formulas/stable/test_sums.py"),
        ("rounded_off = x - x ", "rounded_off = jnp.zeros_like(x)", "tests/formulas/stable/test_sums.py"),
    ],
    "stable/classes.py": [
        ("s == m[..., None], class", "s != m[..., None], class", "tests/formulas/stable/test_classes.py"),
        (
            "x.ndim - 1) == i",
            "x.ndim - 1) != i",
            many(f"{GRAD}-integer"),
        ),
        (
            '(x, i[..., None], -1, mode="fill")',
            '(x, i[..., None] - 1, -1, mode="fill")',
            one("softmax_cross_entropy-integer"),
        ),
    ],
    "softmax_cross_entropy.py": [
        ("loss_vjp(logits, y, c)", "loss_vjp(logits, y, -c)", one("softmax_cross_entropy_vjp-integer")),
        (
            "weighted_jacobian(weight, ",
            "weighted_jacobian(jnp.ones_like(weight), ",
            one("softmax_cross_entropy_hessian-distribution"),
        ),
        (
            "logits, t, weight",
            "logits, t, jnp.ones_like(weight)",
            one("softmax_cross_entropy_hvp-distribution"),
        ),
        (
            "return loss_jvp(widen(logits), y, t)",
            "return t.mean() + loss_jvp(widen(logits), y, t)",
            one("softmax_cross_entropy_jvp-integer"),
        ),
    ],
    "stable/cross_entropy.py": [
        ("jnp.where(jnp.isfinite(mean), mean, 0)", "0", "tests/formulas/stable/test_cross_entropy.py"),
        (
            "terms = jnp.abs(gradient + labels) + jnp.abs(labels)",
            "terms = jnp.abs(gradient)",
            "tests/formulas/stable/test_cross_entropy.py",
        ),
        (
            "log_sum(s, m, class_of(m, s))",
            "log_sum(s, m, 0 * class_of(m, s) + 1)",
            "tests/formulas/stable/test_cross_entropy.py",
        ),
        ("(m - entry(s, i)) + log_sum", "(m - entry(s, i)) - log_sum", one("softmax_cross_entropy-integer")),
        ("+ weight * log_sum(", "+ log_sum(", one("softmax_cross_entropy-distribution")),
        ("with_entry(e, i, -others)", "with_entry(e, i, others)", one(f"{GRAD}-integer")),
        ("with_entry(e, i, -others)", "with_entry(e, 0 * i, -others)", one(f"{GRAD}-integer")),
        (
            "weight[..., None] * (e / total[..., None]) - y",
            "e / total[..., None] - y",
            one(f"{GRAD}-distribution"),
        ),
        ("(weight - y_i) * (e_i / total)", "weight * (e_i / total)", one(f"{GRAD}-distribution")),
        ("(t - entry(t, i)[..., None]))", "(t + entry(t, i)[..., None]))", one("softmax_cross_entropy_jvp-integer")),
        (
            "(t - entry(t, i)[..., None]))",
            "(t - entry(t, 0 * i)[..., None]))",
            one("softmax_cross_entropy_jvp-integer"),
        ),
        ("return loss_vjp(s, labels, jnp.ones", "return loss_vjp(s, labels, 2 * jnp.ones", one(f"{GRAD}-integer")),
        ("else row_sum(labels)", "else labels.max(-1)", one("softmax_cross_entropy_hessian-distribution")),
    ],
    "linear_softmax_cross_entropy.py": [
        ("with_entry(g, y, -sum_without(g, y))", "with_entry(g, y, entry(g, y) - 1)", KEPT),
        ("jnp.log1p(sum_without(g, largest) / entry(g, largest))", "-jnp.log(g.max(-1))", KEPT),
        ("4 * e / jnp.square(1 + e)", "1 - jnp.tanh(s / c) ** 2", KEPT),
        ("4 * e / jnp.square(1 + e)", "1.0", one(LARGE)),
        ("- 1 / s.shape[-1])", "- 1)", one(LARGE)),
        ("2 * lam", "lam", one(LARGE)),
        ("w_y * (g_minus_y + smoothing)", "w_y * g_minus_y + smoothing", one(LARGE)),
        ("db, dalpha = alpha * dp,", "db, dalpha = dp,", one(LARGE)),
        ("G.sum(batch), (h", "G.mean(batch), (h", batch(LARGE)),
        ("(h * dp).sum()", "(alpha * h * dp).sum()", one(LARGE)),
    ],
    "two_layer.py": [
        ("* sigmoid_grad(w)", "* sigmoid(w)", one("two_layer_grads-integer")),
        ("* sigmoid_grad(w)", "", one("two_layer_vjp-integer")),
        ("h = sigmoid(w)", "h = sigmoid(-w)", one("two_layer_loss-integer")),
        ("tensordot(dv, h, axes", "tensordot(h, dv, axes", one("two_layer_grads-integer")),
        (
            "dA = tensordot(delta, widen(x), axes=(batch, batch))",
            "dA = tensordot(delta, widen(x), axes=(batch, batch)) / max(1, x.size // x.shape[-1])",
            batch("two_layer_grads-integer"),
        ),
        (
            "batch = tuple(range(x.ndim - 1))",
            "batch = tuple(range(min(1, x.ndim - 1)))",
            batch("two_layer_vjp-integer"),
        ),
        (
            'loss_vjp(v, as_labels(labels, v, "v"), c)',
            'loss_gradient(v, as_labels(labels, v, "v"))',
            one("two_layer_vjp-integer"),
        ),
        ("dA.astype(A.dtype)", "dA", one("two_layer_grads-integer", "bfloat16")),
        ("jnp.broadcast_to(B.astype(dtype)", "jnp.broadcast_to(-B.astype(dtype)", one("two_layer_jacobians-integer")),
        ("sigmoid_jacobian(w).astype", "sigmoid_jacobian(x[..., :1] + w).astype", one("two_layer_jacobians-integer")),
        (
            'loss_gradient(v, as_labels(labels, v, "v")).astype(dtype)',
            'loss_gradient(v, as_labels(labels, v, "v")).sum(0).astype(dtype)',
            batch("two_layer_jacobians-integer"),
        ),
    ],
    "textbook.py": [
        (
            "jnp.diag(g) - jnp.outer(g, g)",
            "jnp.diag(g) + jnp.outer(g, g)",
            "tests/formulas/test_textbook.py::test_it_equals_what_the_rule_claims[softmax_jacobian]",
        ),
        (
            "y.sum() * softmax(s) - y",
            "softmax(s) - y",
            f"tests/formulas/test_textbook.py::test_it_equals_what_the_rule_claims[{GRAD}-distribution]",
        ),
    ],
    "examples.py": [
        (
            "size=sizes.batch), jnp.int32)",
            "size=sizes.batch), random.choice([jnp.int8, jnp.int16, jnp.int32]))",
            one(f"{GRAD}-integer"),
        ),
    ],
}
