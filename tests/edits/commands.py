"""Errors in the command line: a false verdict, a false exit status."""

VERIFY = "tests/commands/test_verify.py"
CHECK = "tests/commands/test_check.py"

EDITS: dict[str, list[tuple[str, str, str]]] = {
    "verify.py": [
        ("all(verdict.passed for verdict in verdicts)", "True", f"{VERIFY}::test_a_rule_that_fails_alone"),
        ("all(verdict.passed for", "any(verdict.passed for", f"{VERIFY}::test_a_rule_that_fails_alone"),
        ("all(line.holds for line in lines)", "True", f"{VERIFY}::test_a_line_that_fails_alone"),
        ("(digits is None or digits.passed)", "True", f"{VERIFY}::test_the_digits_that_fail_alone"),
        ("\n    return 0 if passed else 1", "\n    return 0", f"{VERIFY}::test_a_rule_that_fails_alone"),
    ],
    "lines.py": [
        (
            "passed = all(verdict.holds",
            "passed = any(verdict.holds",
            "tests/commands/test_lines.py::test_a_wrong_line_fails",
        ),
    ],
    "loading.py": [
        ("        RULES.update(others)\n", "", f"{CHECK}::test_a_right_rule_passes"),
        ("    if not rules:\n", "    if False:\n", f"{CHECK}::test_a_file_without_rules_is_bad_usage"),
    ],
}
