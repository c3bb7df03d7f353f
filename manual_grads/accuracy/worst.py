"""The file of the worst errors that searches have found: one for each rule and format, with the seed of its climb.

Arguments are kept to the last bit: the bytes of an array, compressed, as text.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from manual_grads.accuracy.search import Found, Shape


def worst_of(found: Iterable[Found]) -> dict[tuple[str, str], Found]:
    """The worst of each rule and format, relative to what is promised."""
    worst: dict[tuple[str, str], Found] = {}
    for one in found:
        key = (one.name, one.dtype)
        if key not in worst or one.share > worst[key].share:
            worst[key] = one
    return worst


def read(file: Path) -> list[Found]:
    """What a file keeps."""
    return [as_found(row) for row in json.loads(file.read_text(encoding="utf-8"))["found"]]


def write(file: Path, found: Iterable[Found], found_with: dict[str, Any]) -> None:
    """Keeps what was found, a row a line, with the versions and the device that it was found with."""
    rows = ",\n".join(json.dumps(as_row(one), ensure_ascii=False) for one in found)
    file.write_text(f'{json.dumps(found_with)[:-1]}, "found": [\n{rows}\n]}}\n', encoding="utf-8")


def as_row(found: Found) -> dict[str, Any]:
    """What JSON can hold of a find."""
    return {**found._asdict(), "shape": found.shape._asdict(), "args": [as_text(arg) for arg in found.args]}


def as_found(row: dict[str, Any]) -> Found:
    """The find that a row tells of."""
    args = tuple(as_array(arg) for arg in row["args"])
    return Found(**{**row, "shape": Shape(**row["shape"]), "args": args})


def as_text(arg: np.ndarray) -> dict[str, Any]:
    """An array as its dtype, its shape and its bytes."""
    array = np.asarray(arg)
    kept = b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 9)).decode("ascii")
    return {"dtype": array.dtype.name, "shape": list(array.shape), "zlib": kept}


def as_array(kept: dict[str, Any]) -> np.ndarray:
    """The array that was kept."""
    data = zlib.decompress(b64decode(kept["zlib"]))
    return np.frombuffer(data, jnp.dtype(kept["dtype"])).reshape(kept["shape"]).copy()
