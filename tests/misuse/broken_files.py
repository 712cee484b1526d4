"""Every way we know to break a file: each fault takes a path that holds valid content and spoils it."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import random
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CANARY = "EXECUTED"


def put(path: Path, fault: str) -> None:
    """Break the file (or empty the folder) at `path`."""
    FAULTS[fault](path)


def _bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """A fault that changes the content."""

    def spoil(path: Path) -> None:
        content = path.read_bytes() if path.is_file() else b""
        _away(path)
        path.write_bytes(change(content))

    return spoil


def _rows(change: Callable[[list[Any]], list[Any]]) -> Callable[[Path], None]:
    """A fault that changes parsed rows (or the one object a file holds); others lose their second half."""

    def spoil(content: bytes) -> bytes:
        try:
            in_list = content.lstrip().startswith(b"[")
            rows = json.loads(content) if in_list else [json.loads(one) for one in content.splitlines()]
        except ValueError:
            try:
                rows, in_list = [json.loads(content)], False
            except ValueError:
                return content[: len(content) // 2]
        changed = change(rows)
        text = json.dumps(changed) if in_list else "".join(json.dumps(row) + "\n" for row in changed)
        return text.encode("utf-8", "surrogatepass")

    return _bytes(spoil)


def _one_row(change: Callable[[dict[str, Any], str], None], kind: type = object) -> Callable[[Path], None]:
    """A fault of one key of one row, both drawn by the file's name and length."""

    def spoil(rows: list[Any]) -> list[Any]:
        draw = random.Random(len(json.dumps(rows)))
        row = draw.choice(rows) if rows else None
        if isinstance(row, dict):
            keys = [key for key, value in row.items() if isinstance(value, kind)]
            if keys:
                change(row, draw.choice(keys))
        return rows

    return _rows(spoil)


def _to(value: Any) -> Callable[[dict[str, Any], str], None]:
    def change(row: dict[str, Any], key: str) -> None:
        row[key] = value

    return change


def _rename(row: dict[str, Any], key: str) -> None:
    row[key.upper() + " "] = row.pop(key)


def _away(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def _instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """A fault that puts something else into the file's place."""

    def spoil(path: Path) -> None:
        _away(path)
        make(path)

    return spoil


def _linked(path: Path) -> None:
    """The same content behind a link: no fault, and no reason to write to it."""
    target = path.with_name(f"{path.name}.target")
    path.rename(target)
    path.symlink_to(target.name)


class _Runs:
    """An object that creates the canary when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {CANARY}",)


YAML = {
    "yaml python tag": f"a: !!python/object/apply:os.system ['touch {CANARY}']\n",
    "yaml duplicate key": "name: a\nname: b\n",
    "yaml tab": "name:\n\ta: 1\n",
    "yaml unclosed": "name: [1, 2\nother: {a\n",
    "yaml scalar": "just words\n",
    "yaml list": "- a\n- b\n",
    "yaml two documents": "a: 1\n---\nb: 2\n",
    "yaml bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "yaml recursion": "a: &a [*a]\n",
    "yaml odd keys": "1: a\ntrue: b\nnull: c\n? [x, y]\n: d\n",
    "yaml infinity": "learning_rate: .inf\nseed: .nan\nname: -.inf\n",
    "yaml deep": "[" * 800 + "]" * 800,
    "yaml interpolation": "model_name_or_path: ${oc.env:HOME}\noutput_dir: ${a}\n",
    "jinja": "{{ ''.__class__.__mro__[1].__subclasses__() }}{% for x in range(10**9) %}x{% endfor %}",
}

FAULTS: dict[str, Callable[[Path], None]] = {
    "empty": _bytes(lambda _: b""),
    "blank lines": _bytes(lambda _: b"\n \n\t\n"),
    "cut in half": _bytes(lambda content: content[: len(content) // 2]),
    "last character gone": _bytes(lambda content: content[:-2]),
    "no final newline": _bytes(lambda content: content.rstrip(b"\n")),
    "doubled": _bytes(lambda content: content * 2),
    "CRLF": _bytes(lambda content: content.replace(b"\n", b"\r\n")),
    "CR": _bytes(lambda content: content.replace(b"\n", b"\r")),
    "BOM": _bytes(lambda content: b"\xef\xbb\xbf" + content),
    "UTF-16": _bytes(lambda content: content.decode("utf-8", "replace").encode("utf-16")),
    "Latin-1": _bytes(lambda content: content.replace(b"a", b"\xe9", 3)),
    "NUL bytes": _bytes(lambda content: content.replace(b'"', b"\0", 2)),
    "random bytes": _bytes(lambda content: random.Random(len(content)).randbytes(999)),
    "gzip": _bytes(gzip.compress),
    "pickle": _bytes(lambda _: pickle.dumps(_Runs())),
    "prose": _bytes(lambda _: b"The quick brown fox.\nIt jumps.\n"),
    "CSV": _bytes(lambda _: b"id,prompt,response,pred\n0,a,b,c\n1,d,e,f\n"),
    "HTML": _bytes(lambda _: b"<!DOCTYPE html>\n<title>404</title>\n"),
    "scalar": _bytes(lambda _: b"3\n"),
    "null": _bytes(lambda _: b"null\n"),
    "empty list": _bytes(lambda _: b"[]\n"),
    "empty object": _bytes(lambda _: b"{}\n"),
    "list of scalars": _bytes(lambda _: b'[1, "a", null, [2]]\n'),
    "deep list": _bytes(lambda _: b"[" * 100_000),
    "deep object": _bytes(lambda _: b'{"a":' * 50_000),
    "huge integer": _one_row(_to(10**400)),
    "integer beyond 64 bits": _one_row(_to(2**70)),
    "huge float": _bytes(lambda content: content.replace(b": 1", b": 1e999", 1)),
    "not a number": _one_row(_to(float("nan"))),
    "infinity": _one_row(_to(float("-inf"))),
    "lone surrogate": _one_row(_to("\ud800 here")),
    "odd text": _one_row(_to("\x00\x1b[31m\u2028\u202e\u00e9\U0001f642" + f"$(touch {CANARY})"), str),
    "very long text": _one_row(_to("x" * 2_000_000), str),
    "template text": _one_row(_to("{0} %s %(a)s {{7*7}} ${HOME}"), str),
    "null value": _one_row(_to(None)),
    "number for a text": _one_row(_to(7), str),
    "text for a value": _one_row(_to("seven")),
    "list for a value": _one_row(_to([["a"], 1])),
    "object for a value": _one_row(_to({"a": 1})),
    "true for a value": _one_row(_to(True)),
    "negative": _one_row(_to(-1)),
    "empty text": _one_row(_to(""), str),
    "path outside": _one_row(_to("../../../../etc/passwd"), str),
    "key missing": _one_row(lambda row, key: row.pop(key)),
    "key renamed": _one_row(_rename),
    "key added": _one_row(lambda row, key: row.update({f"{key}2": 1, "__class__": "x", "": ""})),
    "first row gone": _rows(lambda rows: rows[1:]),
    "last row gone": _rows(lambda rows: rows[:-1]),
    "row repeated": _rows(lambda rows: [*rows, *rows[:1]]),
    "rows reversed": _rows(lambda rows: rows[::-1]),
    "row is a list": _rows(lambda rows: [*rows[:2], [1, 2], *rows[2:]]),
    "row is null": _rows(lambda rows: [None, *rows]),
    "only one row": _rows(lambda rows: rows[:1]),
    "ids as text": _rows(
        lambda rows: [{**row, "id": str(row["id"])} if isinstance(row, dict) and "id" in row else row for row in rows]
    ),
    "absent": _away,
    "folder": _instead(lambda path: path.mkdir()),
    "full folder": _instead(lambda path: (path / "inside").mkdir(parents=True)),
    "pipe": _instead(os.mkfifo),
    "link to nothing": _instead(lambda path: path.symlink_to("nothing-there")),
    "link to itself": _instead(lambda path: path.symlink_to(path.name)),
    "link to zeros": _instead(lambda path: path.symlink_to("/dev/zero")),
    "link to memory": _instead(lambda path: path.symlink_to("/proc/self/mem")),
    "behind a link": _linked,
    **{name: _bytes(lambda _, text=text: text.encode()) for name, text in YAML.items()},
}  # fmt: skip
