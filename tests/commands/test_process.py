"""Commands as processes: how they end, and that what they print can be printed anywhere."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEAKING = [
    [sys.executable, "-m", "manual_grads", "verify", "--only", "softmax_jacobian"],
    [sys.executable, "-m", "manual_grads", "lines"],
    [sys.executable, "-m", "manual_grads", "check", "manual_grads.formulas.softmax"],
    [sys.executable, "-m", "manual_grads", "accuracy"],
    [sys.executable, "-m", "manual_grads", "train"],
    [sys.executable, "-m", "benchmarks", "--quick"],
]
# Three threads at once in XLA, the main one among them, each for many seconds in a single call.
COMPILING = """
import sys
from concurrent.futures import ThreadPoolExecutor
import jax, jax.numpy as jnp
from manual_grads.commands import process

def long(n):
    def f(x):
        for i in range(n):
            x = jnp.sin(x @ x) + i
        return x
    return jax.jit(f).lower(jnp.ones((8, 8))).compile

def command():
    compiles = [long(3000 + i) for i in range(3)]
    with ThreadPoolExecutor(2) as pool:
        pool.submit(compiles[0])
        pool.submit(compiles[1])
        print("compiling", flush=True)
        compiles[2]()
        print("not interrupted", flush=True)
    return 0

sys.exit(process.run("this", command))
"""


@pytest.fixture
def started(monkeypatch):
    """Starts processes that heed SIGINT, also where this one was told not to, as in the background of a shell."""
    processes = []
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(words, **options):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
        processes.append(subprocess.Popen(words, **{**pipes, **options}))
        return processes[-1]

    yield start
    signal.signal(signal.SIGINT, before)
    for process in processes:
        process.kill()
        process.communicate()


def interrupted(process):
    """Sends SIGINT; the exit status, the seconds until then, and what was said on stderr."""
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    seconds = time.monotonic() - begun
    return process.returncode, seconds, process.communicate()[1]


@pytest.mark.parametrize("words", SPEAKING, ids=lambda words: " ".join(words[2:4]))
def test_ctrl_c_in_the_midst_of_a_command(words, started):
    process = started(words)
    assert process.stdout.readline()  # a line as soon as it is at work
    time.sleep(1)
    status, seconds, said = interrupted(process)
    assert status == 130
    assert said == f"{'python -m benchmarks' if 'benchmarks' in words else 'manual-grads'}: interrupted\n"
    assert seconds < 1


def test_ctrl_c_while_xla_compiles_in_every_thread(started):
    process = started([sys.executable, "-c", COMPILING])
    assert process.stdout.readline() == "compiling\n"
    time.sleep(1)
    status, seconds, said = interrupted(process)
    assert (status, said) == (130, "this: interrupted\n")
    assert seconds < 1


def test_ctrl_c_takes_the_child_along(started):
    code = (
        "import subprocess, sys; from manual_grads.commands import process; "
        "sleep = [sys.executable, '-c', 'import os, time; print(os.getpid(), flush=True); time.sleep(60)']; "
        "process.run('this', lambda: process.child(sleep).returncode)"
    )
    process = started([sys.executable, "-c", code])
    child = int(process.stdout.readline())
    assert interrupted(process)[0] == 130
    for _ in range(100):
        try:
            os.kill(child, 0)
            state = Path(f"/proc/{child}/stat")
            if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
                return  # it has ended, and nobody has asked how
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("it is still there")


def test_an_interrupt_that_is_ignored_stays_ignored(started):
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        "from manual_grads.commands import process; import time; "
        "process.run('this', lambda: print('at work', flush=True) or time.sleep(1) or print('done'))"
    )
    process = started([sys.executable, "-c", code])
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate() == ("done\n", "")


@pytest.mark.parametrize(
    "words",
    [
        ["manual_grads", "lines"],
        ["manual_grads", "lines", "19.2", "--json"],
        ["manual_grads", "train", "--epochs", "1"],
        ["benchmarks", "table", "benchmarks/results/cpu.json"],
    ],
    ids=" ".join,
)
def test_a_reader_that_has_seen_enough(words, started):
    reader, writer = os.pipe()
    os.close(reader)  # as `| head -0` does
    process = started([sys.executable, "-m", *words], stdout=writer)
    os.close(writer)
    assert process.communicate(timeout=120)[1] == ""
    assert process.returncode == 141


# All commands in one process whose streams have the encoding; on less than they do by default.
EVERYTHING = """
import sys
from manual_grads.commands import process
process.make_printable()
from functools import partial
from benchmarks.__main__ import main as benchmarks
from manual_grads.__main__ import main
from manual_grads.accuracy import measure
from manual_grads.commands import verify
from manual_grads.training import large

measure.SPREAD, large.CLASSES, large.EXAMPLES = 2**10, 301, 64
verify.verify_rule = partial(verify.verify_rule, thorough=False)
verify.CHAINS = verify.CHAINS[:1] + verify.CHAINS[-1:]
verify.RULES = {name: verify.RULES[name] for name in ("two_layer_grads",)}
for words in (["lines", "18"], ["verify"], ["accuracy", "--only", "sigmoid"], ["train", "--epochs", "1"],
              ["check", "manual_grads.formulas.logloss"], ["check", "ü✓.py"]):
    print(words, main(words))
print(benchmarks(["table", "benchmarks/results/cpu.json"]))
"""


@pytest.mark.parametrize("encoding", [pytest.param("ascii", marks=pytest.mark.slow), "cp1252"])
def test_every_command_prints_in_any_encoding(encoding, started):
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    process = started([sys.executable, "-c", EVERYTHING], env=environment, text=False)
    out, err = (text.decode(encoding) for text in process.communicate(timeout=600))
    assert process.returncode == 0, err
    assert err.count("\n") == 1 and "no such file" in err
    statuses = [line.rpartition(" ")[2] for line in out.splitlines() if line.startswith("['")]
    assert statuses == ["0", "0", "0", "0", "0", "2"]
    assert "+ proved" in out and "+ two_layer_grads" in out
    assert "≠" not in out and "?" in out


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_json_loses_nothing_in_any_encoding(encoding, started):
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    process = started([sys.executable, "-m", "manual_grads", "lines", "18", "--json"], env=environment, text=False)
    out, err = process.communicate(timeout=120)
    assert err == b""
    assert json.loads(out.decode(encoding))["lines"][0]["line"] == "σ(z)"


@pytest.mark.smoke
@pytest.mark.parametrize("module", ["manual_grads", "benchmarks"])
def test_help_prints_in_ascii(module, started):
    process = started([sys.executable, "-m", module, "--help"], env=os.environ | {"PYTHONIOENCODING": "ascii"})
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("usage: ")


def test_a_closed_output_is_no_error(started):
    command = f"{sys.executable} -m manual_grads lines 18 >&- 2>&-"
    assert started(["sh", "-c", command]).wait(timeout=120) == 0
