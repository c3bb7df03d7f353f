"""Errors in the command line: a false verdict, a false exit status."""

CHECK = "tests/commands/test_check.py"

EDITS: dict[str, list[tuple[str, str, str]]] = {
    "verify.py": [
        ("passed = all(v.passed for v in verdicts) and ", "passed = ", "tests/test_main.py::test_a_wrong_rule_fails"),
        ("return 0 if passed else 1", "return 0", "tests/test_main.py::test_a_wrong_rule_fails"),
    ],
    "lines.py": [
        ("passed = all(verdict.holds", "passed = any(verdict.holds", "tests/test_main.py::test_a_wrong_line_fails"),
    ],
    "loading.py": [
        ("        RULES.update(others)\n", "", f"{CHECK}::test_a_right_rule_passes"),
        ("    if not rules:\n", "    if False:\n", f"{CHECK}::test_a_file_without_rules_is_bad_usage"),
    ],
}
