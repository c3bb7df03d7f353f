"""The accuracy that was measured, as tables; `python -m docs.pages.accuracy` measures again, for `docs/results`."""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from manual_grads.accuracy.measure import COMPARED, measure_all
from manual_grads.accuracy.promises import PROMISES
from manual_grads.commands.accuracy import number, row_json
from manual_grads.rules import FLOATS, RULES

RESULTS = Path(__file__).parents[1] / "results" / "accuracy.json"
KEPT = ("ulp", "bound", "false_zeros", "family")


def measure() -> None:
    """Measures every promise as `manual-grads accuracy` does, and writes what was found, a row a line."""
    rows = []
    for measurement in measure_all([(RULES[name], dtype) for name in measurable() for dtype in FLOATS], 0, False):
        row = row_json(measurement)
        row["by_hand"] = {key: row["by_hand"][key] for key in KEPT}
        row["autodiff"] = {name: {key: worst[key] for key in KEPT} for name, worst in row["autodiff"].items()}
        rows.append(json.dumps(row, ensure_ascii=False))
    versions = {"jax": version("jax"), "python": sys.version.split()[0]}
    text = f'{{"versions": {json.dumps(versions)}, "rows": [\n' + ",\n".join(rows) + "\n]}\n"
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text, encoding="utf-8")


def measurable() -> list[str]:
    """The rules whose error can be measured, in the order of the command's table."""
    return [name for name in RULES if name in PROMISES]


def results() -> dict:
    """What was measured."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def measured(name: str) -> str:
    """What is promised of a rule in float32 and what was measured, in a sentence."""
    if name not in PROMISES:
        return "Its error isn't measured: balls don't know its true value."
    (row,) = (row for row in results()["rows"] if (row["name"], row["dtype"]) == (name, "float32"))
    of = "ULP" if row["in_ulp_of_the_value"] else "ULP of the same sum with absolute values"
    return (
        f"In float32 its error on hard inputs is at most {row['by_hand']['bound']:.3g} {of}; the worst that was found "
        f"is {ulp(row['by_hand']['ulp'])} ({{doc}}`how that is measured </accuracy>`)."
    )


def write(folder: Path) -> None:
    """Writes the tables, one for each format."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "accuracy.md").write_text("\n".join(tables()) + "\n", encoding="utf-8")


def tables() -> Iterator[str]:
    """A table for each format: what is allowed, what was found by hand, and what autodiff makes of the same inputs."""
    found = results()
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    yield f"Written by `python -m docs.pages.accuracy` with {versions}.\n"
    for dtype in FLOATS:
        yield f"### {dtype}\n"
        compared = " | ".join(f"{name} | zeros" for name in COMPARED)
        yield f"| function | inputs | derived | allowed | by hand | ratio | {compared} |"
        yield "|---|--:|--:|--:|--:|--:" + "|--:|--:" * len(COMPARED) + "|"
        for row in found["rows"]:
            if row["dtype"] == dtype:
                cells = [
                    f"`{row['name']}`",
                    f"{row['inputs']:,}",
                    *(allowed(row, bound) for bound in (row["derived"], row["by_hand"]["bound"])),
                ]
                cells += [ulp(row["by_hand"]["ulp"]), f"{row['by_hand']['ulp'] / row['derived']:.2f}"]
                for worst in row["autodiff"].values():
                    cells += [ulp(worst["ulp"]), str(worst["false_zeros"] or "")]
                yield f"| {' | '.join(cells)} |"
        yield ""


def allowed(row: dict, bound: float) -> str:
    """A bound, with a sign where it is of a sum."""
    return ("" if row["in_ulp_of_the_value"] else "~") + f"{bound:.3g}"


def ulp(error: float | str) -> str:
    """An error in few characters, as the command prints it."""
    return "NaN" if isinstance(error, str) else number(error)


if __name__ == "__main__":
    measure()
