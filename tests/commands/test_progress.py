"""What a terminal shows, what a log says, and that JSON is alone."""

import io
import os
import pty
import subprocess
import sys
import threading

import pytest
from rich.text import Text

from manual_grads.commands import printing, progress


def said_in(stream, monkeypatch, as_json=False):
    monkeypatch.setattr(sys, "stdout", stream)
    with progress.progressing(printing.console(), "verifying", 2, as_json) as done:
        done(Text("✓ one"))
        so_far = stream.getvalue() if isinstance(stream, io.StringIO) else ""
        done(None)
        done(Text("✓ two"))
    return so_far


@pytest.mark.smoke
def test_a_log_has_a_line_as_each_part_is_done(monkeypatch):
    stream = io.StringIO()
    so_far = said_in(stream, monkeypatch)
    assert so_far == "verifying: a line as each part is done\n✓ one\n"
    assert stream.getvalue() == so_far + "✓ two\n\n"


def test_json_is_alone(monkeypatch):
    stream, errors = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    said_in(stream, monkeypatch, as_json=True)
    assert stream.getvalue() == errors.getvalue() == ""


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_terminal_has_a_bar_unless_it_can_t_erase_it(term, monkeypatch):
    monkeypatch.setenv("TERM", term)
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        said_in(stream, monkeypatch)
    shown = os.read(leader, 10**5).decode()
    os.close(leader)
    assert ("━" in shown, "✓ one" in shown, "\x1b" in shown) == (
        (True, False, True) if term == "xterm" else (False, True, False)
    )


def test_lines_of_several_threads_stay_whole(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    with progress.progressing(printing.console(), "verifying", 400, False) as done:
        threads = [threading.Thread(target=lambda k=k: [done(Text(f"{k} " * 30)) for _ in range(50)]) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = stream.getvalue().splitlines()[1:-1]
    assert len(lines) == 400
    assert all(len(set(line.split())) == 1 and len(line.split()) == 30 for line in lines)


def test_a_log_is_written_while_the_command_works(tmp_path):
    """To a file, which Python would keep in a buffer."""
    code = (
        "import os, sys; from rich.text import Text; from manual_grads.commands import printing, progress\n"
        "with progress.progressing(printing.console(), 'verifying', 1, False) as done:\n"
        "    done(Text('one')); os._exit(0)"
    )
    with (tmp_path / "log").open("w") as log:
        subprocess.run([sys.executable, "-c", code], stdout=log, check=True)
    assert (tmp_path / "log").read_text().endswith("one\n")
