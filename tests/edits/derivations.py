"""Errors in the document's lines and in those who judge them."""

LINES = "tests/derivations/test_lines.py"
EVERY_K = "tests/derivations/test_every_k.py"
EVERY_SIZE = "tests/derivations/test_every_size.py"

EDITS: dict[str, list[tuple[str, str, str]]] = {
    "task18.py": [
        (
            "lambda z: sigma(z) * (1 - sigma(z))",
            "lambda z: sigma(z) * (1 + sigma(z))",
            f"{LINES}::test_every_line_holds",
        ),
    ],
    "balls.py": [
        ("flint.ctx.prec = before", "flint.ctx.prec = bits", f"{LINES}::test_balls_are_not_gullible"),
        ("return left.shape == right.shape and all(", "return all(", f"{LINES}::test_balls_are_not_gullible"),
        ("int(index == direction)", "int(index != direction)", f"{LINES}::test_power_series_differentiate"),
        # A ball's radius is ignored: where two are compared, and where it is asked for.
        ("arb(a).overlaps(arb(b))", "arb(a).mid().overlaps(arb(b).mid())", f"{LINES}::test_balls_are_not_gullible"),
        ("arb(a).overlaps(arb(b))", "arb(a).overlaps(arb(a))", f"{LINES}::test_balls_are_not_gullible"),
        ("float(arb(entry).rad())", "0.0", f"{LINES}::test_a_wide_ball_confirms_nothing"),
        ("max(float(", "min(float(", f"{LINES}::test_a_wide_ball_confirms_nothing"),
    ],
    "symbols.py": [
        ("return sympy.expand(numerator) == 0", "return True", f"{LINES}::test_symbolic_equality_is_not_gullible"),
        (
            "return sympy.expand(numerator) == 0",
            "return True",
            f"{EVERY_SIZE}::test_unequal_sums_are_not_taken_for_equal",
        ),
        ("return sympy.expand(numerator) == 0", "return True", f"{EVERY_K}::test_what_merging_leaves_unchanged"),
        (
            "return left.shape == right.shape and all(",
            "return any(",
            f"{LINES}::test_symbolic_equality_is_not_gullible",
        ),
    ],
    "verdicts.py": [
        (" and balls.widest(balls_of_line) < MAX_BALL_RADIUS", "", f"{LINES}::test_a_wide_ball_confirms_nothing"),
        (
            "balls.overlap(first, balls_of_line) and ",
            "",
            f"{LINES}::test_a_misprinted_line_would_be_judged_false",
        ),
        # What a ball may be as wide as, how many classes are more than few, and how far a float may be off.
        ("MAX_BALL_RADIUS = 2.0**-150", "MAX_BALL_RADIUS = 2.0**150", f"{LINES}::test_a_wide_ball_confirms_nothing"),
        (
            '"features": 3, "K": 11}',
            '"features": 3, "K": 4}',
            f"{EVERY_K}::test_what_is_true_for_few_classes_alone_is_false",
        ),
        ("float64_error <= FLOAT64_TOLERANCE", "float64_error <= 1", LINES),
        (
            "except ValueError:  # the shapes don't multiply\n        return True",
            "except ValueError:\n        return False",
            LINES,
        ),
        ("np.maximum(1, np.abs(middle))", "np.maximum(1e9, np.abs(middle))", LINES),
        # A misprint is called true, or what is true a misprint.
        ("return not balls.overlap(printed", "return balls.overlap(printed", f"{LINES}::test_every_line_holds"),
        ("return not balls.overlap(printed, corrected)", "return True", f"{LINES}::test_a_correct_line_is_not_refuted"),
        (" and self.refuted is not False", "", f"{LINES}::test_a_line_holds_only_if_every_judge_says_so"),
        (
            "return self.proved and self.confirmed",
            "return self.confirmed",
            f"{LINES}::test_a_line_holds_only_if_every_judge_says_so",
        ),
        (
            "for case in (*exact, *beyond)",
            "for case in exact",
            f"{EVERY_K}::test_what_is_true_for_few_classes_alone_is_false",
        ),
        (
            "proofs[i] if proved else Proof",
            "proofs[i] if True else Proof",
            f"{LINES}::test_what_is_false_is_proved_for_nothing",
        ),
    ],
    "scope.py": [
        (
            "merges[before] and merges[i]",
            "merges[i]",
            f"{EVERY_K}::test_a_line_is_proved_only_if_the_one_before_is_equal",
        ),
        (
            "merges[before] and merges[i]",
            "merges[before]",
            f"{EVERY_K}::test_what_is_true_for_few_classes_alone_is_false",
        ),
        (" and base[i]", "", f"{EVERY_K}::test_a_line_is_proved_only_if_the_one_before_is_equal"),
        (
            "symbolic.proved(values[before], value)",
            "value",
            f"{EVERY_K}::test_what_is_true_for_few_classes_alone_is_false",
        ),
    ],
    "every_k.py": [
        # Merging that forgets: one of the two classes, their exponentials, the other classes, the number of classes.
        (
            "sympy.log(sympy.exp(a) + sympy.exp(b))",
            "sympy.log(sympy.exp(a))",
            f"{EVERY_K}::test_what_merging_leaves_unchanged",
        ),
        ("sympy.log(sympy.exp(a) + sympy.exp(b))", "a + b", f"{EVERY_K}::test_what_merging_leaves_unchanged"),
        (
            "written_out(expression, K, m + 2)",
            "written_out(expression, K, m)",
            f"{EVERY_K}::test_what_merging_leaves_unchanged",
        ),
        ("*range(first), OTHERS]", "*range(first)]", f"{EVERY_K}::test_a_sum_is_written_out_with_all_of_its_terms"),
        ("xreplace({K: first + OTHERS})", "xreplace({})", f"{EVERY_K}::test_what_merging_leaves_unchanged"),
        ("return symbols.is_zero(apart - merged)", "return True", f"{EVERY_K}::test_what_merging_leaves_unchanged"),
        ("    except REFUSALS:\n        return False", "    except REFUSALS:\n        return True", EVERY_K),
        ("in (K, K - 1)", "in (K,)", f"{EVERY_K}::test_the_base_is_where_one_class_at_most_has_no_name"),
        ("range(1, NAMED + 2)", "range(1, 2)", f"{EVERY_K}::test_the_base_can_be_false"),
        ("case[max(i - 1, 0)], case[i]", "case[i], case[i]", f"{EVERY_K}::test_the_base_can_be_false"),
    ],
    "every_size.py": [
        (
            "    if sizes != (right.sizes if isinstance(right, Family) else ()):\n        return False\n",
            "",
            EVERY_SIZE,
        ),
        ("return all(equal(", "return any(equal(", f"{EVERY_K}::test_a_line_is_proved_only_if_it_is_in_every_case"),
        ("range(len(named[size]) + len(sizes))", "range(1)", f"{EVERY_SIZE}::test_every_kind_of_entry_is_looked_at"),
        (
            "number <= len(set(numbers[:i]))",
            "number == 0",
            f"{EVERY_K}::test_the_cases_of_three_classes_are_all_ways_for_them_to_be_equal_or_not",
        ),
    ],
    "sums.py": [
        (
            "xreplace({index: other})",
            "xreplace({})",
            f"{EVERY_SIZE}::test_a_line_of_symbolic_size_is_the_line_at_each_size",
        ),
        (
            "        return size\n",
            "        return sympy.S.One\n",
            f"{EVERY_SIZE}::test_unequal_sums_are_not_taken_for_equal",
        ),
        (
            "denominator - (power.base - exponentials[0])",
            "denominator",
            f"{EVERY_SIZE}::test_partial_fractions_change_nothing",
        ),
        ("default=0) + 1", "default=1)", f"{EVERY_SIZE}::test_the_names_of_indices_don_t_matter_and_are_not_mixed_up"),
        ("if group[0] & factor.free_symbols]", "if group[0]]", f"{EVERY_SIZE}::test_equal_sums_are_recognised"),
    ],
    "indices.py": [
        ("return bool(delta) if delta.is_Integer else Condition(delta)", "return bool(delta == 1)", EVERY_SIZE),
        (
            "if isinstance(other, Size | int) else result",
            "if False else result",
            f"{EVERY_SIZE}::test_only_what_makes_sense_for_every_size_can_be_done",
        ),
    ],
    "families.py": [
        (
            "other.entry(k, *at[rows:])",
            "other.entry(*at[rows:], k)",
            f"{EVERY_SIZE}::test_a_line_of_symbolic_size_is_the_line_at_each_size",
        ),
        (
            "KroneckerDelta(i, j) * v.entry(i)",
            "v.entry(i)",
            f"{EVERY_SIZE}::test_a_line_of_symbolic_size_is_the_line_at_each_size",
        ),
        ("a.entry(i) * b.entry(j)", "a.entry(j) * b.entry(i)", f"{EVERY_SIZE}::test_equal_sums_are_recognised"),
    ],
}
