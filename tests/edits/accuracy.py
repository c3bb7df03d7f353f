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
ANYWHERE = "tests/accuracy/test_survey.py::test_wherever_the_term_stands_that_the_others_are_lost_beside"
LIMITS = f"{SEARCH}::test_shapes_are_on_both_sides_of_every_limit"
BY_BOTH = f"{SEARCH}::test_large_batches_are_climbed_by_the_quick_forms_and_by_the_careful"
SUM_BOUNDS = "tests/accuracy/test_sum_bounds.py"
OF_FORMS = f"{BOUNDS}::test_a_bound_by_hand"
OF_SUMS = f"{SUM_BOUNDS}::test_a_bound_by_hand"

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
        ("* (softmax(s) + floor) + y + floor", "* (softmax(s) + floor) + floor", TRUTHS),
        (
            "* (softmax(s) + floor) + y + floor",
            "* softmax(s) + y + floor",
            f"{TRUTHS}::test_what_underflows_is_multiplied_by_the_weights",
        ),
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
        # A promise that the sums of many rows don't keep in the worst place.
        ("Promise(truths.softmax, 9)", "Promise(truths.softmax, 7)", f"{ANYWHERE}[softmax-107-float32]"),
        (
            "Promise(truths.cross_entropy_grad, 12,",
            "Promise(truths.cross_entropy_grad, 8,",
            f"{ANYWHERE}[softmax_cross_entropy_grad-110-float32]",
        ),
        (
            "Promise(truths.softmax_jacobian, 17,",
            "Promise(truths.softmax_jacobian, 15,",
            f"{ANYWHERE}[softmax_jacobian-77-float32]",
        ),
        ("(promise.additions(*args) + ROUNDINGS) / 2", "promise.additions(*args) + ROUNDINGS", TRUTHS),
        (
            "if is_sharp(rule, args) and bounds.is_derived(rule.name):\n        return",
            "if bounds.is_derived(rule.name):\n        return",
            f"{SUM_BOUNDS}::test_what_need_not_cancel_has_the_sharper_bound",
        ),
        (
            'classes=shapes["B"][0]',
            'classes=shapes["B"][1]',
            f"{SUM_BOUNDS}::test_the_sizes_are_those_of_the_arguments",
        ),
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
        ("sum(groups) - 1 if groups", "len(groups) if groups", "tests/accuracy/test_search.py"),
        (
            "sum(groups) - 1 if groups and is_divided(terms) else 0)",
            "0)",
            f"{TREES}::test_a_sum_in_groups_is_no_deeper_than_its_bound",
        ),
        ("    return sum(term.size for term in terms)", "    return max(term.size for term in terms)", BOUNDS),
        (
            '*times(2, form.exponential),\n        Term("the row\'s sum"',
            '*form.exponential,\n        Term("the row\'s sum"',
            BOUNDS,
        ),
        ("np.argmax(sum(sizes.values()))", "np.argmin(sum(sizes.values()))", BOUNDS),
        ("e = max((i / 1000", "e = min((i / 1000", BOUNDS),
        ("compensated(classes) if classes <= MAX_COMPENSATED", "compensated(classes) if True", BOUNDS),
        ('[Term("Σ y", form.additions(classes)), Term("its product with the rest", 1)]', "[]", OF_FORMS),
        ("times(1 / log(2) / 2, form.exponential)", "times(1 / log(2) / 4, form.exponential)", OF_FORMS),
        ('Term("e_i, added", 1)', 'Term("e_i, added", 0)', OF_FORMS),
        ("forms(dtype)[:2] if name", "forms(dtype)[:1] if name", f"{BOUNDS}::test_a_deeper_sum_makes_a_worse_bound"),
        ('[Term("log, the last step", unit_ulp("log", dtype))]', '[Term("log, the last step", 1.2)]', BOUNDS),
    ],
    # A term that a bound leaves out, or counts less often.
    "sum_bounds.py": [
        ("*times(8, form.exponential)", "*times(4, form.exponential)", OF_SUMS),
        ('Term("e d", 1),', "", OF_SUMS),
        ("4 * form.additions(sizes.classes)", "2 * form.additions(sizes.classes)", OF_SUMS),
        ("max(times(2, soft), times(3, one_hot)", "max(times(2, soft), one_hot", OF_SUMS),
        ("max(times(2, soft), times(3, one_hot)", "max(soft, times(3, one_hot)", OF_SUMS),
        ("last._replace(size=1.0)", "last", OF_SUMS),
        ('        Term("Bᵀ(g − y)", sizes.classes),\n', "", OF_SUMS),
        ("[*weighted, *jacobian_product", "[*jacobian_product", OF_SUMS),
        (
            "max(own, scores(dtype, sizes), slope",
            "max(own, slope",
            f"{SUM_BOUNDS}::test_large_matrices_make_a_worse_bound",
        ),
        (
            "[*probability(form, sizes), *weighted,",
            "[*weighted,",
            f"{SUM_BOUNDS}::test_steps_that_err_by_so_much_stay_within_it",
        ),
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
        # A search that sees one kind of form alone, or one side of a limit.
        ("(MAX_LAST + 1, MAX_FEW + 1, MIN", "(MAX_LAST + 1, MIN", LIMITS),
        ("for classes in (limit - 1, limit)", "for classes in (limit,)", LIMITS),
        ("if takes_logits(rule) else []", "if False else []", BY_BOTH),
        ("max(2, -(-LARGE_ARRAY_SIZE // k))", "-(-LARGE_ARRAY_SIZE // k)", BY_BOTH),
        ("& (second > smallest)", "", f"{SEARCH}::test_no_row_of_a_quick_climb_is_one_for_the_careful_forms"),
        ("& (s[:, -1] < largest)", "", f"{SEARCH}::test_no_row_of_a_quick_climb_is_one_for_the_careful_forms"),
        ("or shape.above or", "or", f"{SEARCH}::test_any_row_may_be_climbed_with_care"),
        (
            "np.where(along(which, a), a, b)",
            "a",
            f"{SEARCH}::test_no_row_of_a_quick_climb_is_one_for_the_careful_forms",
        ),
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
