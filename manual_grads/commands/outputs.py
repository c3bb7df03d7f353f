"""Files that a command is to write: whether it can is found out before it does minutes of work.

`os.path` says no of a name that is too long, or may not be looked at, where `Path` raises an exception.
"""

import os
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile

from manual_grads.commands.process import BadInput


def require_picture(option: str, file: Path) -> None:
    """Does nothing where matplotlib can draw into a file.

    Raises:
        BadInput: if it can't: the ending is of no kind that it has, or the file can't be written.
    """
    from matplotlib.figure import Figure  # another extra

    if os.path.isdir(file):
        raise BadInput(f"{option} {file} is a folder; expected a file, such as {file / 'a.png'}")
    figure = Figure()
    figure.text(0, 0, "text")  # for which LaTeX is needed, in some formats
    try:
        figure.savefig(BytesIO(), format=file.suffix[1:] or "none")
    except Exception as error:  # of a format that it doesn't know, or for which it lacks a library, or LaTeX
        ending = f"the ending {file.suffix}" if file.suffix else "no ending"
        raise BadInput(f"{option} {file}: {ending}; expected one that matplotlib can draw, such as .png") from error
    require_file(option, file)


def require_file(option: str, file: Path) -> None:
    """Does nothing where a file can be written.

    Raises:
        BadInput: if it can't be.
    """
    was_there = os.path.exists(file)
    if was_there and file.is_fifo():
        raise BadInput(f"{option} {file} is a pipe, which can't be written before somebody reads; expected a file")
    try:
        file.open("ab").close()
        if not was_there:
            file.unlink()
    except OSError as error:
        raise BadInput(f"{option} {file}: it can't be written: {error.strerror}") from error


def require_folder(option: str, folder: Path) -> None:
    """Makes a folder, unless there is one, in which files can be written.

    Raises:
        BadInput: if there can't be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        reason = "there is a file of that name" if os.path.isfile(folder) else error.strerror
        raise BadInput(f"{option}: no file can be written in {folder}: {reason}") from error
