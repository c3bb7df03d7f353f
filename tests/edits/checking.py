"""Errors in the checker, most of which make it weaker: something wrong would pass."""

HERE = "tests/checking"
PLANTED = f"{HERE}/test_verify.py::test_a_planted_error_is_rejected"

EDITS: dict[str, list[tuple[str, str, str]]] = {
    "agreement.py": [
        ("want = np.where(backed, other, want)", "want = claimed", f"{HERE}/test_agreement.py"),
        (
            "np.where(nan & measured, slope, want)",
            "np.where(nan & ~measured, slope, want)",
            f"{HERE}/test_agreement.py",
        ),
        (
            "also = np.where(off & ~apart, slope, also)",
            "also = np.where(off & apart, slope, also)",
            f"{HERE}/test_agreement.py",
        ),
        ("if own_rules or other is None:", "if True:", f"{HERE}/test_agreement.py"),
        ("~(apart & ~measured)", "~(apart & measured)", f"{HERE}/test_agreement.py"),
    ],
    "oracles.py": [
        ("-3, -2, -1, 1, 2, 3", "-3, -2, -1, 1, 2, 4", f"{HERE}/test_oracles.py"),
        ("/ (60 * h)", "/ (61 * h)", f"{HERE}/test_oracles.py"),
    ],
    "rounding.py": [
        (
            "size = jnp.where(jnp.isfinite(size), size, 0)",
            "size = jnp.where(jnp.isfinite(size), size, size)",
            f"{HERE}/test_rounding.py::test_infinities_get_none",
        ),
        (
            "jnp.where(x == jnp.round(x), 0.0, x)",
            "x",
            f"{HERE}/test_rounding.py::test_zeros_and_ones_of_what_is_not_differentiated_are_exact",
        ),
        (
            "self.rounded(x, jnp.where(x == 0, 1.0, x))",
            "self.rounded(x, jnp.where(x == 0, 0.0, x))",
            f"{HERE}/test_rounding.py::test_zeros_and_ones_of_what_is_not_differentiated_are_exact",
        ),
    ],
    "limits.py": [("max([0.0, *(", "min([0.0, *(", f"{HERE}/test_rounding.py")],
    "slopes.py": [
        ("~(bend(1e-4) <= 0.5 * bend(1e-3)", "~(bend(1e-4) <= 20 * bend(1e-3)", f"{HERE}/test_slopes.py"),
        ("30 * error + 1e-5 * scale", "30 * error + 10 * scale", f"{HERE}/test_slopes.py"),
        ("full[at] = np.take_along_axis(of[1:], best, 0)[0]", "full[at] = of[0]", f"{HERE}/test_slopes.py"),
    ],
    "probes.py": [
        ("np.where(m == 0, x, abs(m)) if b else m", "m", f"{HERE}/test_probes.py"),
        ("endpoint=True", "endpoint=False", f"{HERE}/test_probes.py"),
        ("(m or (x != np.round(x)).any())", "True", f"{HERE}/test_probes.py"),
        ('yield "ties"', 'yield "constant"', f"{HERE}/test_probes.py"),
    ],
    "transforms.py": [
        ("if g.dtype != w.dtype:", "if False:", PLANTED),
        ("if g.shape != w.shape:", "if False:", PLANTED),
    ],
    "measure.py": [("np.where(np.isfinite(got), 0.0, np.inf)", "0.0", PLANTED)],
    "judging.py": [("(w is not None and w.ratio > 1)", "(w is not None and w.ratio > 1e4)", PLANTED)],
    "check.py": [("    if found:\n", "    if not found:\n", f"{HERE}/test_check.py")],
    "verify.py": [
        (
            "        if any(batch_axes):\n",
            "        if False:\n",
            f"{HERE}/test_verify.py::test_what_is_claimed_of_a_network",
        ),
        ("in rule.label_kinds", "in rule.label_kinds[:1]", f"{HERE}/test_verify.py::test_what_is_claimed_of_a_network"),
    ],
    "diagnosis.py": [
        ("if exact == -1:", "if exact == 1:", f"{HERE}/test_diagnosis.py"),
        ("abs(size - c) < 1e-4 * c", "abs(size - c) < 1e-1 * c", f"{HERE}/test_diagnosis.py"),
    ],
    "terms.py": [
        ('(f"dividing by {name}", e.got / part)', '(f"dividing by {name}", e.got * part)', f"{HERE}/test_diagnosis.py"),
        (
            "np.where(finite, e.want - e.got, 0.0) * weight",
            "np.where(finite, e.got - e.want, 0.0) * weight",
            f"{HERE}/test_diagnosis.py",
        ),
    ],
}
