"""Errors in the checker, most of which make it weaker: something wrong would pass."""

HERE = "tests/checking"
PLANTED = f"{HERE}/test_verify.py::test_a_planted_error_is_rejected"
AGREEMENT = f"{HERE}/truth/test_agreement.py"
ORACLES = f"{HERE}/truth/test_oracles.py"
NOISE = f"{HERE}/truth/test_noise.py"
REFUTED = f"{HERE}/truth/test_refuted.py"
ALLOWANCES = f"{HERE}/judging/test_allowances.py"
SLOPES = f"{HERE}/truth/test_slopes.py"
POINTS = f"{HERE}/trials/test_points.py"
TRIAL = f"{HERE}/trials/test_trial.py"
BEHAVIOUR = f"{HERE}/trials/test_behaviour.py"
HYPOTHESES = f"{HERE}/diagnosis/test_hypotheses.py"
CLAIMS = f"{HERE}/test_verify.py::test_what_is_claimed_of_a_network"

ONE_SIDED = f"{HERE}/truth/test_one_sided.py"
RULE = f"{HERE}/test_rule.py"
SITUATIONS = f"{HERE}/test_situations.py::test_the_verdict_is_true"
WIDENED = f"{HERE}/truth/test_widened.py"
PRODUCTS_GRANTED = f"{HERE}/test_products_granted.py"
EDITS: dict[str, list[tuple[str, str, str]]] = {
    "truth/agreement.py": [
        ("want = np.where(backed, other, want)", "want = claimed", AGREEMENT),
        ("np.where(failed & measured, slope, want)", "np.where(failed & ~measured, slope, want)", AGREEMENT),
        ("also = np.where(off & ~apart, slope, also)", "also = np.where(off & apart, slope, also)", AGREEMENT),
        ("if own_rules or other is None:", "if True:", AGREEMENT),
        ("trusted=~undecided", "trusted=undecided", AGREEMENT),
        ("Remark.TRAP_MEASURED: trap & measured", "Remark.TRAP_MEASURED: trap", AGREEMENT),
    ],
    "truth/compiled.py": [
        ('eps_of("float32") / 2 <= u < self.products_u', "u < self.products_u", PRODUCTS_GRANTED),
        ("if products and self.grants_products(u) else 0.0", "if False else 0.0", PRODUCTS_GRANTED),
        ("noisy(claim.manual_of, None, products=products_u > 0)", "noisy(claim.manual_of, None)", PRODUCTS_GRANTED),
    ],
    "truth/kinks.py": [
        ("moved < SAME_SIDE * width", "moved < np.inf", f"{HERE}/truth/test_kinks.py"),
        ("MIN_JUMP * _scale", "0.1 * _scale", f"{HERE}/truth/test_kinks.py"),
        ("np.where(own, BEYOND_OWN", "np.where(~jumps, BEYOND_OWN", f"{HERE}/truth/test_kinks.py"),
        ("BEYOND_OWN, BEYOND_SEVERAL = 0.05, 2.0", "BEYOND_OWN, BEYOND_SEVERAL = 50.0, 2.0", SITUATIONS),
        ("high - low < ODD * widest", "high - low < 0", SITUATIONS),
        ("(finite & (widest > 0) & ~own)", "(finite & False)", f"{HERE}/truth/test_kinks.py"),
    ],
    "truth/one_sided.py": [
        ("against = -np.roll(along", "against = np.roll(along", ONE_SIDED),
        ("& np.isfinite(beside)", "| np.isfinite(beside)", ONE_SIDED),
        ("np.where(y == 0, 1.0, y)", "y", ONE_SIDED),
        ("not at.size", "not kinked.any()", ONE_SIDED),
        ("BEYOND_OWN * width", "20 * width", ONE_SIDED),
    ],
    "truth/gradients.py": [("first = len(shapes) - len(arguments)", "first = 0", ONE_SIDED)],
    "judging/subgradient.py": [("slope - sides.high[i]", "-slope", SITUATIONS)],
    "judging/allowances.py": [
        ("OFF_BY_AN_ULP, OPAQUE_SAFETY = 5, 8.0", "OFF_BY_AN_ULP, OPAQUE_SAFETY = 5, 8000.0", ALLOWANCES),
        (
            "largest_u = oracles.products_u if oracles.grants_products(u) else u",
            "largest_u = u",
            PRODUCTS_GRANTED,
        ),
        ("MANY_ULP = 4000", "MANY_ULP = 40000", f"{HERE}/judging/test_allowances.py"),
        ("ratios(got, leaf, points) > 1", "ratios(got, leaf, points) < 1", f"{HERE}/judging/test_allowances.py"),
        (
            "leaf.by_oracle[oracles.claimed_mode]), 0.0)",
            "leaf.want), 0.0)",
            f"{SITUATIONS}[kinks: softplus, 0 at 0, in float32 alone]",
        ),
    ],
    "judging/average.py": [
        ("MIN_OFF = 0.03", "MIN_OFF = 0.3", f"{HERE}/judging/test_average.py"),
        ("np.isnan(leaf.also[points])", "True", f"{HERE}/judging/test_average.py"),
        (
            "MEAN_ROUNDINGS * eps_of(format_name) / 2 + MEAN_DEVIATIONS * deviation",
            "0",
            f"{HERE}/judging/test_average.py",
        ),
    ],
    "compiling.py": [
        ("np.concatenate(parts)[:points]", "np.concatenate(parts)", f"{HERE}/test_compiling.py"),
        ("return max([1, *(int", "return min([1, *(int", f"{HERE}/test_compiling.py"),
    ],
    "truth/widened.py": [
        ("x, jnp.float64) if is_float(x) else x", "x, jnp.float32) if is_float(x) else x", WIDENED),
    ],
    "truth/linearity.py": [
        ("OTHER_COTANGENT = -1.75", "OTHER_COTANGENT = 1.0", f"{SITUATIONS}[rules: a rule that ignores its cotangent]"),
    ],
    "trials/domains.py": [
        ("if not low < high:", "if False:", f"{HERE}/trials/test_domains.py"),
        ("if unknown := keys.keys() - set(names):", "if unknown := set():", f"{HERE}/trials/test_domains.py"),
    ],
    "truth/oracles.py": [
        ("-3, -2, -1, 1, 2, 3", "-3, -2, -1, 1, 2, 4", ORACLES),
        ("/ (60 * h)", "/ (61 * h)", ORACLES),
        ("RESOLVED = 2.0**-19", "RESOLVED = 0.0", ORACLES),
        ("RESOLVED = 2.0**-19", "RESOLVED = 2.0**-16", ORACLES),
    ],
    "truth/known.py": [
        (
            "np.where(np.isnan(apart), np.inf, scale_of(apart))",
            "0",
            f"{SITUATIONS}[formats: a callback in float32, quickly]",
        ),
    ],
    "truth/refuted.py": [
        ("ROUGH = 1e-4", "ROUGH = 2e-2", REFUTED),
        ("if found.without_rules is None:", "if True:", REFUTED),
        ("if found.value_by_rules is not None:", "if False:", REFUTED),
        ("if oracles.confirming is not None:", "if False:", REFUTED),
        ("& ~kink.at for", "for", REFUTED),
        ("without_rules(f, but)", "without_rules(f)", REFUTED),
    ],
    "truth/noise.py": [
        ("jnp.where(jnp.isfinite(size), size, 0)", "size", f"{NOISE}::test_infinities_get_none"),
        ("jnp.where(x == jnp.round(x), 0.0, x)", "x", NOISE),
        ("jnp.where(x == 0, 1.0, x)", "x", NOISE),
        ("if kind is Kind.EXACT:", "if kind is not Kind.SUM:", f"{NOISE}::test_cancellation_shows"),
    ],
    "truth/slopes.py": [
        ("[] if oracles.in_doubt_alone else", "[] if False else", SLOPES),
        ("0.5 * bend(1e-3)", "20 * bend(1e-3)", SLOPES),
        ("30 * error + 1e-5 * scale", "30 * error + 10 * scale", SLOPES),
    ],
    "trials/points.py": [
        ("range(MORE_SMALL_INTEGERS if thorough else 0)", "range(0)", SITUATIONS),
        ("abs(m)) if leaf.values is Values.POSITIVE else m", "m) if leaf.values is Values.POSITIVE else m", POINTS),
        ('yield "ties"', 'yield "constant"', POINTS),
        ("np.asarray(x).astype(d), np.float64)", "np.asarray(x), np.float64)", POINTS),
    ],
    "trials/values.py": [
        ("return Values.SEEN  # a label or a mask", "return Values.ANY", POINTS),
        ("return Values.ONE_HOT", "return Values.SEEN", POINTS),
        ("return Values.DISTRIBUTIONS", "return Values.ANY", POINTS),
        ("        return Values.ANY\n    wide", "        pass\n    wide", POINTS),
    ],
    "truth/own_rules.py": [
        ("silent -= _constantly_zero(without, eqn)", "pass", RULE),
        ('any(eqn.params.get("symbolic_zeros")', 'all(eqn.params.get("symbolic_zeros")', RULE),
    ],
    "truth/reached.py": [("mark * t.astype(mark.dtype).sum()", "0 * t.astype(mark.dtype).sum()", RULE)],
    "rule.py": [
        ("as_claim(truth, products.by(mine)", "as_claim(truth, products.by(truth)", RULE),
        ("    if not found:\n", "    if False:\n", RULE),
        ("if name not in found]", "if False]", RULE),
        ("raise (_with_causes(error, causes) if causes else error)", "raise error", RULE),
    ],
    "products.py": [
        ("return *everything, in_one, of_one", "return everything", RULE),
    ],
    "trials/behaviour.py": [
        (" or isinstance(leaf, bool | int | float | complex)", "", BEHAVIOUR),
        ("if not of_any_dtype and g.dtype != w.dtype:", "if False:", BEHAVIOUR),
        ("if np.shape(g) != w.shape:", "if False:", BEHAVIOUR),
    ],
    "judging/measure.py": [("np.where(np.isfinite(got), 0.0, np.inf)", "0.0", PLANTED)],
    "judging/judge.py": [
        ("worst.ratio > 1)", "worst.ratio > 1e5)", PLANTED),
        ("if holds and (complaint := no_subgradient(", "if False and (complaint := no_subgradient(", SITUATIONS),
    ],
    "trials/trial.py": [
        ("            return [self.outcome(call) for call in some]\n", "            return []\n", TRIAL),
        ("iter([leaves_of(each) for", "iter([leaves_of(each)[:0] for", TRIAL),
    ],
    "check.py": [
        ("MIN_SHARE_INSIDE = 0.5", "MIN_SHARE_INSIDE = 0.05", f"{HERE}/trials/test_points.py"),
        ("    if found:\n", "    if not found:\n", f"{HERE}/test_check.py"),
        ("first or is_own(fmt, example)", "first", f"{HERE}/test_check.py"),
    ],
    "verify.py": [
        ("        if any(batch_axes):\n", "        if False:\n", CLAIMS),
        ("in rule.label_kinds", "in rule.label_kinds[:1]", CLAIMS),
        ("        if shapes in seen:\n", "        if True:\n", CLAIMS),
    ],
    "diagnosis/constants.py": [
        ("if exact == -1:", "if exact == 1:", HYPOTHESES),
        ("SAME_FACTOR * c]", "1000 * c]", HYPOTHESES),
    ],
    "diagnosis/terms.py": [
        ("e.got / c.array)", "e.got * c.array)", HYPOTHESES),
        ("if e.betters(e.got + total(fit))), None", "if e.betters(e.got - total(fit))), None", HYPOTHESES),
    ],
    "diagnosis/indices.py": [("along > 1", "along > 2", HYPOTHESES)],
    "diagnosis/kinks.py": [("len(bad) == 1 and", "len(bad) == 2 and", HYPOTHESES)],
    "diagnosis/fitting.py": [("/ determinant\n        second", "* determinant\n        second", HYPOTHESES)],
}
