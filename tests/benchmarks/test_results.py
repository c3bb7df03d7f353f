import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from benchmarks import page, report, results
from benchmarks.__main__ import main
from benchmarks.measure import measure
from tests.benchmarks.fakes import Clock, contender, plan, workload

FOLDER = Path(__file__).parents[2] / "benchmarks"
MACHINE = {
    "device": "cpu: cpu",
    "cpu": "a processor",
    "threads": 2,
    "python": "3.11",
    "versions": {"jax": "1"},
    "commit": "",
    "flags": {},
    "huge_pages": "",
    "load": 0.0,
    "bandwidth": 4e10,
    "peak": 1e11,
}


@cache
def measured(seconds: float) -> dict:
    """By hand takes some seconds, where autodiff takes one; a peer is missing, another wrong."""
    clock = Clock()
    contenders = (
        contender(clock, "by hand", seconds, "hand"),
        contender(clock, "plain", 1.0),
        contender(clock, "through nn", 1.2, "drop-in"),
        contender(clock, "wrong", 1.0, "peer", factor=2.0),
        contender(clock, "right", 2.0, "peer"),
    )
    return measure(workload(*contenders), plan(clock, 20, 5.0))


def row(seconds: float = 1.0, **changed: Any) -> dict:
    """A row of results of their own."""
    return {**deepcopy(measured(seconds)), "load": 0.0, **changed}


def file_of(directory: Path, *rows: dict, suite: str = "full", thp_rows: tuple[dict, ...] = ()) -> Path:
    """A file of such results."""
    found = {"schema": results.SCHEMA, "suite": suite, "cold": False, "machine": MACHINE}
    results.save({**found, "rows": list(rows), "thp_rows": list(thp_rows)}, directory / "r.json")
    return directory / "r.json"


@pytest.mark.smoke
def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    found = results.load(file_of(tmp_path, row()))
    assert found["rows"] == [json.loads(json.dumps(row()))]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("machine"), "results: .*expected the keys"),
        (lambda r: r["rows"][0].update(flops="many"), r"results.rows\[0\].flops: 'many'"),
        (lambda r: r["rows"][0]["contenders"][1].update(seconds=[1.0, None]), r"contenders\[1\].seconds\[1\]: None"),
        (lambda r: r["rows"][0].update(repeats=True), r"repeats: True"),
        (lambda r: r.update(rows={}), "results.rows: dict, expected a list"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    found = json.loads(file_of(tmp_path, row()).read_text())
    change(found)
    with pytest.raises(ValueError, match=message):
        results.check(found)


def test_a_file_of_something_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.json").write_text('{"schema": 99}')
    assert main(["plot", str(tmp_path / "r.json")]) == 2
    assert "expected results of schema 1" in capsys.readouterr().err


def test_the_table_names_winners_ties_and_wrong_contenders(tmp_path: Path) -> None:
    found = results.load(file_of(tmp_path, row(0.5, workload="a"), row(1.0, workload="b"), row(2.0, workload="c")))
    lines = page.markdown(found)[2:]
    assert ["faster" in lines[0], "tie" in lines[1].split("|")[3], "slower" in lines[2]] == [True] * 3
    assert all("| right |" in line for line in lines)  # the wrong peer is faster, but wrong
    statuses = [c["status"] for c in found["rows"][0]["contenders"]]
    assert statuses == ["timed", "timed", "timed", "wrong", "timed"]


def test_a_win_that_huge_pages_undo_is_the_allocators(tmp_path: Path) -> None:
    found = results.load(file_of(tmp_path, row(0.5), thp_rows=(row(1.0),)))
    assert "(the allocator's)" in page.markdown(found)[2]
    assert not report.allocators_win(row(0.5), row(0.5))
    assert not report.allocators_win(row(1.0), row(1.0))


def test_a_busy_machine_is_said_to_be_busy() -> None:
    assert "WARNING" not in " ".join(map(str, report.machine_lines(MACHINE)))
    assert "WARNING" in " ".join(map(str, report.machine_lines({**MACHINE, "load": 1.5})))


@pytest.mark.parametrize("suite", ["full", pytest.param("sweep", marks=pytest.mark.slow)])
def test_the_pictures_are_drawn_and_not_empty(suite: str, tmp_path: Path) -> None:
    large = [
        row(s, workload=f"large-class loss {n}", family="large-class loss", sizes={"N": n, "H": 8, "K": 99})
        for n, s in ((10, 0.5), (20, 1.0), (40, 2.0))
    ]
    file = file_of(tmp_path, row(0.5), *large, suite=suite)
    assert main(["plot", str(file), "--to", str(tmp_path / "pictures")]) == 0
    names = {"full": ["large-class", "ratios", "roofline"], "sweep": ["growth"]}[suite]
    pictures = sorted((tmp_path / "pictures").glob("*.png"))
    assert [p.stem for p in pictures] == [f"r-{name}" for name in names]
    for picture in pictures:
        pixels = matplotlib.image.imread(picture)[..., :3].reshape(-1, 3)
        assert len(np.unique(pixels.round(1), axis=0)) > 10  # colours
        assert 0.01 < (pixels.min(1) < 0.9).mean() < 0.5  # of the picture is not white


def test_quick_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("JAX_DEFAULT_MATMUL_PRECISION", "OMP_WAIT_POLICY"):  # which the command sets where they aren't
        monkeypatch.setenv(name, "highest" if name.startswith("JAX") else "PASSIVE")
    file = tmp_path / "quick.json"
    assert main(["--quick", "--only", "σ′", "--json", str(file)]) == 0
    found = results.load(file)
    (only,) = found["rows"]
    assert only["family"] == "σ′"
    assert {c["status"] for c in only["contenders"] if c["kind"] != "peer"} == {"timed"}
    assert found["machine"]["bandwidth"] > 1e8 and found["machine"]["peak"] > 1e8
    printed = capsys.readouterr().out
    assert "A/A" in printed and "σ′ 1000000" in printed and "% of limit" in printed
    assert main(["plot", str(file)]) == 0
    assert (tmp_path / "quick-ratios.png").stat().st_size > 5000


def test_an_unknown_workload_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--quick", "--only", "nonsense"])
    assert stopped.value.code == 2
    assert "softmax vjp 1024×1000" in capsys.readouterr().err
