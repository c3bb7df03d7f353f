"""Errors in the measure: a wrong truth, a wrong unit, a bound that isn't felt. Each calls a loss of digits right."""

ULP = "tests/accuracy/test_ulp.py"
TRUTHS = "tests/accuracy/test_truths.py"
SURVEY = "tests/accuracy/test_survey.py"
SWEEP = "tests/accuracy/test_sweep.py"
BOUNDS = "tests/accuracy/test_bounds.py"
UNITS = "tests/accuracy/test_units.py"
TREES = "tests/accuracy/test_trees.py"
SEARCH = "tests/accuracy/test_search.py"
LARGE_CLASS = "tests/accuracy/test_large_class.py"
INPUTS = "tests/accuracy/test_inputs.py"

EDITS: dict[str, list[tuple[str, str, str]]] = {
    "ulp.py": [
        ("if not scaled.rad() <= MAX_BALL_RADIUS * eps:", "if False:", ULP),
        ("MAX_BALL_RADIUS = 2.0**-20", "MAX_BALL_RADIUS = 2.0**20", ULP),
        ("units / eps, nan", "units / (2 * eps), nan", ULP),
        ("floor_log2(arb(magnitude)), lowest)", "floor_log2(arb(magnitude)) + 1, lowest)", ULP),
        ("bit_length() - 1 if", "bit_length() if", ULP),
        ("nan=np.inf, posinf", "nan=0.0, posinf", ULP),
        (" & (np.sign(got) == np.sign(value))", "", ULP),
        ("(units * truth.unit <= smallest) & ~normal", "(units * truth.unit <= smallest)", ULP),
        ("Errors(ulp, (got == 0) & normal)", "Errors(ulp, (got == 0) & ~normal)", ULP),
        ("- truth.high) - truth.low)", "- truth.high))", ULP),
    ],
    "truths.py": [
        ("return y.sum() * softmax(s) - y\n", "return softmax(s) - y\n", TRUTHS),
        ("return y.sum() * softmax(s) + y + floor", "return y.sum() * softmax(s) + floor", TRUTHS),
        ("shifted = as_balls(s) - balls.arb(float(s.max()))", "shifted = as_balls(s)", TRUTHS),
        ("return shifted - log(total)", "return shifted + log(total)", TRUTHS),
        ("g * (t - g @ t)", "g * t", TRUTHS),
        ("np.count_nonzero(y) == 1 and np.max(y) == 1", "np.max(y) == 1", TRUTHS),
        ("np.clip(z, -MAX_Z, MAX_Z)", "np.clip(z, -80, 80)", TRUTHS),
    ],
    "network.py": [
        ("delta_w = abs(A) @ abs(x)", "delta_w = A @ x", TRUTHS),
        ("delta_h = h + slope * delta_w + floor", "delta_h = h + floor", TRUTHS),
        (" + abs(truths.cross_entropy_hessian(v, y)) @ delta_v", "", TRUTHS),
    ],
    "large_class.py": [
        ("return scale * dp, scale * outer(G, h), G, h @ dp", "return dp, outer(G, h), G, h @ dp", LARGE_CLASS),
        ("delta_g = abs(truths", "delta_g = 0 * abs(truths", LARGE_CLASS),
    ],
    "survey.py": [
        ("return self.ulp <= self.bound", "return True", f"{SURVEY}::test_a_softmax_of_the_usual_kind_would_fail"),
        (
            "max(a, b, key=lambda w: w.ulp / w.bound)",
            "min(a, b, key=lambda w: w.ulp / w.bound)",
            f"{SURVEY}::test_the_worse_of_two_is_the_one_that_breaks_its_promise_more",
        ),
        (
            "a.false_zeros + b.false_zeros",
            "a.false_zeros",
            f"{SURVEY}::test_the_worse_of_two_is_the_one_that_breaks_its_promise_more",
        ),
        (
            "np.argmax(found.ulp / by.bounds[:, None])",
            "np.argmax(found.ulp)",
            f"{SURVEY}::test_the_worse_of_two_is_the_one_that_breaks_its_promise_more",
        ),
        (
            "return self.by_hand.within and self.by_hand.ulp <= self.derived",
            "return self.by_hand.within",
            f"{BOUNDS}::test_an_error_above_the_derived_bound_fails",
        ),
    ],
    "sweep.py": [
        ("assert largest <= REFERENCE_ULP", "assert True", f"{SWEEP}::test_a_wrong_reference_is_refused"),
        ("int(error.ulp.argmax())", "int(error.ulp.argmin())", f"{SWEEP}::test_a_wrong_function_is_found"),
        (
            "error.zero & (error.ulp > bound)",
            "error.zero & (error.ulp < bound)",
            f"{SWEEP}::test_a_wrong_function_is_found",
        ),
    ],
    "promises.py": [
        ("(promise.additions(*args) + ROUNDINGS) / 2", "promise.additions(*args) + ROUNDINGS", TRUTHS),
    ],
    "inputs.py": [
        ("index[::2] = scores[::2].argmax(-1)", "index[::2] = 0", INPUTS),
    ],
    "bounds.py": [
        (
            "terms - 1 if terms <= 32",
            "ceil(log2(terms)) if terms <= 32",
            f"{TREES}::test_xla_adds_no_term_more_often_than_the_bound_says",
        ),
        (
            "return terms - 1 if terms <= MAX_MULTIPLIED",
            "return terms - 9 if terms <= MAX_MULTIPLIED",
            f"{TREES}::test_the_quick_sum_is_no_deeper_than_its_bound",
        ),
        ("    return sum(term.size for term in terms)", "    return max(term.size for term in terms)", BOUNDS),
        (
            '*times(2, form.exponential),\n        Term("the row\'s sum"',
            '*form.exponential,\n        Term("the row\'s sum"',
            BOUNDS,
        ),
        ("np.argmax(sum(sizes.values()))", "np.argmin(sum(sizes.values()))", BOUNDS),
        ("e = max((i / 1000", "e = min((i / 1000", BOUNDS),
        ('[Term("log, the last step", unit_ulp("log", dtype))]', '[Term("log, the last step", 1.2)]', BOUNDS),
    ],
    "trees.py": [
        ("len(np.unique(outside))", "len(outside)", f"{TREES}::test_the_tree_of_a_sum_one_after_the_other"),
        ("probes[:, i] = ABSORBING[dtype]", "probes[:, i] = 1", f"{TREES}::test_the_tree_of_a_sum_one_after_the_other"),
    ],
    "units.py": [
        (
            "ulp = float((relative * mantissa).max()) * 2 /",
            "ulp = float((relative * mantissa).max()) /",
            f"{UNITS}::test_errors_are_in_ulp_of_the_value_and_in_u",
        ),
        (
            "float(relative[top]) * 2 /",
            "float(relative[top]) /",
            f"{UNITS}::test_errors_are_in_ulp_of_the_value_and_in_u",
        ),
        ("assert largest <= MAX_REFERENCE_ERROR", "assert True", f"{UNITS}::test_a_wrong_reference_is_refused"),
        ("further = max(a, b, key", "further = min(a, b, key", f"{UNITS}::test_a_worse_function_is_found"),
    ],
    "search.py": [
        (
            "better = new >= height",
            "better = new <= height",
            f"{SEARCH}::test_a_climb_gets_higher_and_is_the_same_for_the_same_seed_and_steps",
        ),
        (
            "batch[0][-1] = 2 * MAX_LOGIT",
            "pass",
            f"{SEARCH}::test_the_rows_that_choose_the_form_are_in_the_batch",
        ),
        ("return self.share <= 1", "return True", "tests/commands/test_search.py"),
        (
            "truths = [as_truth(leaf, jnp.dtype(dtype))",
            "truths = [as_truth(0 * leaf + 1, jnp.dtype(dtype))",
            f"{SEARCH}::test_an_error_at_one_place_that_no_family_shows_is_climbed_to",
        ),
    ],
    "worst.py": [
        (
            "one.share > worst[key].share",
            "one.share < worst[key].share",
            f"{SEARCH}::test_the_worst_is_so_relative_to_the_promise",
        ),
    ],
}
