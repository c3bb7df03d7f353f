"""What the README says is so: its commands are CI's, its examples print what it shows, its figures are measured."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from benchmarks import ratios, report, results
from manual_grads.derivations import CHAINS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROSE = " ".join(README.split())
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
CHECKERS = (ROOT / "docs" / "checkers.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_ci_runs_the_readme_s_own_two_commands():
    main_job, tests = (line for block in blocks("sh") for line in block.splitlines() if line.startswith("python3"))
    lines = CI.splitlines()
    assert lines.index(main_job) < lines.index(tests)
    assert "python -m manual_grads" in main_job
    assert tests.endswith("pytest")


@pytest.mark.smoke
def test_the_examples_print_what_they_show(tmp_path):
    example = "\n".join(blocks("python"))
    shown = re.findall(r"# prints (.*)", example)
    printed = io.StringIO()
    file = tmp_path / "readme.py"  # whose lines a repair is of
    file.write_text(example, encoding="utf-8")
    with contextlib.redirect_stdout(printed):
        exec(compile(example, file, "exec"), {})
    assert len(shown) >= 10
    for line, expected in zip(printed.getvalue().splitlines(), shown, strict=True):
        assert line.startswith(expected.removesuffix("…")) if expected.endswith("…") else line == expected


@pytest.mark.smoke
def test_each_door_is_a_few_lines():
    for block in blocks("python"):
        assert sum(bool(line) and not line.startswith("# prints") for line in block.splitlines()) <= 10
    assert len(README.splitlines()) < 130  # three screens


@pytest.mark.smoke
def test_its_figures_of_the_large_class_loss_are_those_of_the_results():
    sizes = r"For (\d+) examples of (\d+) features and ([\d,]+) classes"
    figures = r".*?takes ([\d.]+ MiB) of.*?takes (\d+ MiB), and ([\d.]+) of"
    ((N, H, K, by_hand, autodiff, ratio),) = re.findall(sizes + figures, PROSE)
    rows = results.load(ROOT / "benchmarks" / "results" / "cpu.json")["rows"]
    (row,) = (row for row in rows if row["workload"] == f"large-class loss {N}×{H}×{K.replace(',', '')}")
    hand, dense = ratios.named(row, "by hand"), ratios.fastest(ratios.timed(row), "autodiff")
    against = ratios.against(row, "autodiff")
    assert hand and dense and against
    assert (by_hand, autodiff) == (report.size(hand["temporaries"]), report.size(dense["temporaries"]))
    assert dense["name"] == "dense, optax"
    assert ratio == f"{against.median:.2f}"


@pytest.mark.smoke
def test_its_figures_of_checkers_are_those_of_the_page():
    ours, theirs = r"lets (\d+) of (\d+) wrong", r".*?`jax.test_util.check_grads` lets (\d+) of (\d+) pass"
    found = re.findall(ours + theirs + r".*?rejects (\d+) of (\d+) right", PROSE)
    ((passed, of, others, asked, rejected, right),) = found
    assert f"| `check_gradient` | {passed} of {of} |" in CHECKERS
    assert f"| `jax.test_util.check_grads` | {others} of {asked} | {rejected} of {right} |" in CHECKERS


@pytest.mark.smoke
def test_the_number_of_misprints_is_right():
    assert f"[{sum(bool(line.misprint) for chain in CHAINS for line in chain.lines)} misprints](" in PROSE


@pytest.mark.smoke
def test_its_links_and_pictures_are_there():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert len(links) >= 10
    for link in links:
        assert (ROOT / link).exists(), link
