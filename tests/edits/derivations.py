"""Errors in the document's lines and in those who judge them."""

LINES = "tests/derivations/test_lines.py"

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
    ],
    "symbols.py": [
        ("return sympy.expand(numerator) == 0", "return True", f"{LINES}::test_symbolic_equality_is_not_gullible"),
        (
            "return left.shape == right.shape and all(",
            "return any(",
            f"{LINES}::test_symbolic_equality_is_not_gullible",
        ),
    ],
}
