"""What a release is: one version everywhere, a wheel of the package alone, files of the forms that others read."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from manual_grads import versions

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}  # of changes, in Keep a Changelog


@pytest.mark.smoke
def test_the_version_is_the_same_everywhere():
    (cited,) = re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited == PROJECT["version"]
    released = re.findall(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", CHANGELOG, re.MULTILINE)
    assert PROJECT["version"] == released[0] if released else "## [Unreleased]" in CHANGELOG


@pytest.mark.smoke
def test_the_changelog_is_kept_as_it_says():
    headings = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:])
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= KINDS


@pytest.mark.smoke
def test_the_metadata_say_who_and_for_which_pythons():
    assert PROJECT["authors"]
    least = versions.MIN_PYTHON[1]
    pythons = [f"Programming Language :: Python :: 3.{minor}" for minor in range(least, least + 4)]
    assert set(pythons) <= set(PROJECT["classifiers"])
    page = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    assert f"Python {versions.dotted(versions.MIN_PYTHON)} and newer" in page
    assert f"JAX {versions.dotted(versions.MIN_JAX)} and newer" in page


@pytest.mark.smoke
def test_workflows_call_what_ci_runs():
    parts = set(re.findall(r"^(\w+)\(\) \{", CI, re.MULTILINE))
    called = set()
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = workflow.read_text(encoding="utf-8")
        called |= {
            word for words in re.findall(r"run: \.ci/run ([\w ]+)$", text, re.MULTILINE) for word in words.split()
        }
        called |= set(re.findall(r"part: \[?(\w+)\]?$", text, re.MULTILINE))
    assert called == {"docs", "package", "slow", "this_python", "this_python_floor"}
    assert called <= parts


@pytest.mark.smoke
def test_a_part_of_ci_that_does_not_exist_fails(tmp_path):
    script = tmp_path / ".ci" / "run"
    script.parent.mkdir()
    script.write_text(CI, encoding="utf-8")
    run = subprocess.run(["bash", script, "lin"], capture_output=True, text=True, check=False)
    assert run.returncode == 127
    assert "lin: command not found" in run.stderr


def test_the_wheel_is_the_package_alone(tmp_path):
    build = "import hatchling.build, sys; hatchling.build.build_wheel(sys.argv[1])"
    subprocess.check_call([sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, stdout=subprocess.DEVNULL)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "manual_grads",
        f"manual_grads-{PROJECT['version']}.dist-info",
    }
    described = zipfile.ZipFile(wheel).read(f"manual_grads-{PROJECT['version']}.dist-info/METADATA").decode()
    assert "check_rule" in described
    assert "[compared]" not in described
    assert re.findall(r"\]\((?!https?:)", described) == []  # a package index has no repository around it
    code = {name for name in names if name.endswith(".py")}
    assert code == {str(file.relative_to(ROOT)) for file in (ROOT / "manual_grads").rglob("*.py")}
