"""Commands as processes: how they end, and that what they print can be printed anywhere."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest

from manual_grads.commands.process import BadInput, require_device

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


@pytest.mark.parametrize(
    "words",
    [pytest.param(words, marks=() if "verify" in words else pytest.mark.slow) for words in SPEAKING],
    ids=lambda words: " ".join(words[2:4]),
)
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
        pytest.param(words.split(), id=words, marks=() if words == "manual_grads lines" else pytest.mark.slow)
        for words in (
            "manual_grads lines",
            "manual_grads lines 19.2 --json",
            "manual_grads train --epochs 1",
            "benchmarks table benchmarks/results/cpu.json",
        )
    ],
)
def test_a_reader_that_has_seen_enough(words, started):
    reader, writer = os.pipe()
    os.close(reader)  # as `| head -0` does
    process = started([sys.executable, "-m", *words], stdout=writer)
    os.close(writer)
    assert process.communicate(timeout=120)[1] == ""
    assert process.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk")
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(words, marks=() if words in ("--help", "lines 18 --json") else pytest.mark.slow)
        for words in ("lines 18", "--help", "lines 18 --json", "lines 18 2>&1", "check missing.py 2>/dev/full")
    ],
)
def test_a_full_disk_is_told_in_a_line(words, started):
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}  # or argparse hears of it
    process = started(["sh", "-c", f"{sys.executable} -m manual_grads {words} > /dev/full"], env=buffered)
    _, said = process.communicate(timeout=120)
    line = "manual-grads: what it prints can't be written: No space left on device\n"
    assert (process.returncode, said) == (1, "" if "2>" in words else line)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("variable", "held", "said"),
    [
        ("JAX_ENABLE_X64", "maybe", "JAX can't be imported: invalid truth value 'maybe' for environment"),
        ("JAX_NUM_CPU_DEVICES", "0", "JAX finds no device for JAX_NUM_CPU_DEVICES=0 JAX_PLATFORMS=cpu: Unable to"),
        ("JAX_PLATFORMS", "no_such", "JAX finds no device for JAX_PLATFORMS=no_such: Unable to initialize backend"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [["manual_grads", "lines"], pytest.param(["benchmarks", "--quick"], marks=pytest.mark.slow)],
    ids=" ".join,
)
def test_a_variable_that_jax_can_t_do_with(words, variable, held, said, started):
    others = {key: value for key, value in os.environ.items() if not key.startswith(("JAX_", "CUDA_"))}
    process = started([sys.executable, "-m", *words], env={**others, "JAX_PLATFORMS": "cpu", variable: held})
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, "")
    assert said.partition(": ")[2] in err and err.count("\n") == 1
    assert err.startswith(("manual-grads: ", "python -m benchmarks: "))


@pytest.mark.parametrize("error", [RuntimeError("no such\nplugin"), AssertionError()], ids=repr)
def test_a_platform_without_a_word_or_with_many(error, monkeypatch):
    def devices():
        raise error

    monkeypatch.setattr(jax, "devices", devices)
    monkeypatch.setenv("JAX_PLATFORMS", "tpu")
    with pytest.raises(BadInput) as refused:
        require_device()
    said = "JAX finds no device for " in str(refused.value) and "JAX_PLATFORMS=tpu" in str(refused.value)
    assert said and str(refused.value).endswith("tpu: no such" if str(error) else "tpu")


# What JAX does while it is imported: exceptions in a callback of the garbage collector are printed, and ignored.
SLOW_JAX = """
import gc, time

def callback(phase, info):
    gc.callbacks.clear()
    print("importing", flush=True)
    time.sleep(30)

gc.callbacks.append(callback)
gc.collect()
"""


@pytest.mark.smoke
@pytest.mark.parametrize("words", ["-m manual_grads", "-m benchmarks --quick", "manual-grads"])
def test_ctrl_c_while_jax_is_imported(words, tmp_path, started):
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text(SLOW_JAX)
    script = tmp_path / "manual-grads"  # as pip writes it
    script.write_text("import sys\nfrom manual_grads.__main__ import main\nsys.exit(main())")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    words = words.replace("manual-grads", str(script)).split()
    process = started([sys.executable, *words], env={**os.environ, "PYTHONPATH": path})
    assert process.stdout.readline() == "importing\n"
    status, seconds, said = interrupted(process)
    assert (status, said) == (
        130,
        f"{'python -m benchmarks' if 'benchmarks' in words else 'manual-grads'}: interrupted\n",
    )
    assert seconds < 1


@pytest.mark.parametrize("by", ["import manual_grads", pytest.param("-m importing", marks=pytest.mark.slow)])
def test_a_library_touches_no_signal(by, tmp_path, started):
    code = "import signal, manual_grads\nprint(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    (tmp_path / "importing.py").write_text(code)
    words = ["-m", "importing", "-m", "manual_grads"] if by == "-m importing" else ["-c", code]
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    process = started([sys.executable, *words], env={**os.environ, "PYTHONPATH": path})
    assert process.communicate(timeout=120) == ("True\n", "")


@pytest.mark.parametrize("at", [pytest.param("import", marks=pytest.mark.slow), "manual"])
def test_a_rule_that_raises_ctrl_c_ends_as_ctrl_c(at, tmp_path, started):
    (tmp_path / "mine.py").write_text(
        "import jax, jax.numpy as jnp\nfrom manual_grads.rules import derivative_of\n"
        "@derivative_of(jnp.sin, by=jax.grad, example=lambda key, dtype, sizes: (jnp.ones((), dtype),))\n"
        "def cosine(x):\n    raise KeyboardInterrupt\n" + ("cosine(1)" if at == "import" else "")
    )
    process = started([sys.executable, "-m", "manual_grads", "check", str(tmp_path / "mine.py")])
    _, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (130, "manual-grads: interrupted\n")


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
from manual_grads.training import large, words as text

text.STEPS, text.GAIN = 3, -100
measure.SPREAD, large.CLASSES, large.EXAMPLES = 2**10, 301, 64
verify.verify_rule = partial(verify.verify_rule, thorough=False)
verify.CHAINS = verify.CHAINS[:1] + verify.CHAINS[-1:]
verify.RULES = {name: verify.RULES[name] for name in ("two_layer_grads",)}
for words in (["lines", "18"], ["verify"], ["accuracy", "--only", "sigmoid"], ["train", "--epochs", "1"],
              ["check", "manual_grads.formulas.logloss"], ["check", "ü✓.py"]):
    print(words, main(words))
print(benchmarks(["table", "benchmarks/results/cpu.json"]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
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


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("cp1252", marks=pytest.mark.slow)])
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
