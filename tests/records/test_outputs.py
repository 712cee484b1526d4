"""No input is ever written to; each file written has one line; a disk that takes no more is named."""

from __future__ import annotations

import ast
import errno
import fcntl
import io
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.conftest import ROOT
from w2s_factory import processes, records
from w2s_factory.errors import UserError
from w2s_factory.records import manifest
from w2s_factory.records.outputs import _NamedFile

FORM = records.Form("answers", {"id": (int,), "answer": (str,)})


def lines(folder):
    path = folder / "manifest.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write(path, rows=({"id": 0},), *, inputs=(), force=False):
    with records.Outputs(inputs=inputs, force=force) as outputs:
        outputs.rows(path, rows)
        outputs.note(seed=1)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in" / "source.jsonl"
    path.parent.mkdir()
    path.write_text('{"id": 7}\n')
    return path


def hard_link(source, tmp_path):
    os.link(source, tmp_path / "hard.jsonl")
    return tmp_path / "hard.jsonl"


def link(source, tmp_path):
    (tmp_path / "link.jsonl").symlink_to(source)
    return tmp_path / "link.jsonl"


def through_a_linked_folder(source, tmp_path):
    (tmp_path / "folder").symlink_to(source.parent)
    return tmp_path / "folder" / source.name


NAMES = {
    "the same": lambda source, _: source,
    "another spelling": lambda source, _: source.parent / ".." / "in" / source.name,
    "relative": lambda source, _: os.path.relpath(source),
    "link": link,
    "hard link": hard_link,
    "linked folder": through_a_linked_folder,
}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_read_is_not_written_to(name, force, source, tmp_path):
    target = NAMES[name](source, tmp_path)
    with pytest.raises(UserError, match="is read by this command, which would overwrite it") as wrong:
        write(target, inputs=[source], force=force)
    assert wrong.value.file == Path(target)
    assert source.read_text() == '{"id": 7}\n'
    assert not list(tmp_path.rglob("*.part"))
    assert not list(tmp_path.rglob("manifest.jsonl"))


def test_it_is_refused_before_the_work_where_that_is_claimed(source):
    with pytest.raises(UserError, match="is read by this command"):
        records.Outputs(reads=[source]).claim(source)


def test_an_input_with_the_name_of_the_manifest_is_not_added_to(tmp_path):
    (tmp_path / "manifest.jsonl").write_text('{"id": 7}\n')
    with pytest.raises(UserError, match=r"manifest\.jsonl: is an input"):
        write(tmp_path / "a.jsonl", inputs=[tmp_path / "manifest.jsonl"])
    assert (tmp_path / "manifest.jsonl").read_text() == '{"id": 7}\n'


def test_rows_in_memory_are_inputs_by_their_hash(tmp_path):
    write(tmp_path / "a.jsonl", inputs=[records.Hashed("rows in memory", "abc")])
    assert lines(tmp_path)[0]["inputs"] == [{"file": "rows in memory", "sha256": "abc"}]


def test_each_file_written_has_one_line(tmp_path, source):
    target = tmp_path / "a.jsonl"
    for _ in range(3):
        write(target, inputs=[source])
    assert [line["file"] for line in lines(tmp_path)] == ["a.jsonl"]
    write(target, [{"id": 1}], inputs=[source], force=True)
    write(target, [{"id": 0}], inputs=[source], force=True)
    write(target, [{"id": 0}], inputs=[source], force=True)
    hashes = [line["sha256"] for line in lines(tmp_path)]
    assert len(hashes) == 3
    assert hashes[0] == hashes[2] == records.content_hash(target) != hashes[1]


def test_a_file_whose_line_a_killed_command_did_not_write_gets_it(tmp_path):
    records.write(tmp_path / "a.jsonl", [{"id": 0}])
    assert lines(tmp_path) == []
    write(tmp_path / "a.jsonl")
    write(tmp_path / "a.jsonl")
    assert [line["seed"] for line in lines(tmp_path)] == [1]


def test_a_file_noted_as_it_was_before_a_kill_gets_a_line_as_it_is(tmp_path):
    write(tmp_path / "a.jsonl")
    records.write(tmp_path / "a.jsonl", [{"id": 1}], force=True)
    write(tmp_path / "a.jsonl", [{"id": 1}])
    assert [line["sha256"] for line in lines(tmp_path)][1:] == [records.content_hash(tmp_path / "a.jsonl")]


def test_lines_follow_the_order_of_notes_and_say_what_each_file_is_from(tmp_path, source):
    other = tmp_path / "other.jsonl"
    other.write_text("")
    with records.Outputs(inputs=[source, other]) as outputs:
        outputs.text(tmp_path / "b.txt", "b")
        outputs.note(inputs=[other], n=1)
        outputs.text(tmp_path / "a.txt", "a")
        outputs.note(n=2)
        outputs.text(tmp_path / "c.txt", "c")  # not noted
    found = [(line["file"], line["n"], len(line["inputs"])) for line in lines(tmp_path)]
    assert found == [("b.txt", 1, 1), ("a.txt", 2, 2)]


FOUR = """
import sys, time
from w2s_factory import records
folder, form, own = sys.argv[1], records.Form("rows", {}), sys.argv[2]
time.sleep(max(0, float(sys.argv[3]) - time.time() - 0.1))
while time.time() < float(sys.argv[3]):  # for the last moment, as a sleep ends a little late
    pass
try:
    with records.Outputs() as outputs:
        for name in ("a", "b", "c"):
            outputs.rows(f"{folder}/{name}.jsonl", ({"id": n, "own": own} for n in range(2000)))
        outputs.note()
except records.writing.UserError as error:
    sys.exit(str(error))
"""


def at_once(folder, owns):
    import time

    start = str(time.time() + 3)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", FOUR, str(folder), own, start], env=environment, stderr=subprocess.PIPE
        )
        for own in owns
    ]
    errors = [process.communicate()[1] for process in started]
    return [process.returncode for process in started], errors


def test_four_identical_commands_at_once_leave_one_line_a_file(tmp_path):
    codes, errors = at_once(tmp_path, ["same"] * 4)
    assert codes == [0] * 4, errors
    assert sorted(line["file"] for line in lines(tmp_path)) == ["a.jsonl", "b.jsonl", "c.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.jsonl",
        "b.jsonl",
        "c.jsonl",
        "manifest.jsonl",
    ]


def test_of_different_commands_at_once_one_writes_and_the_others_are_refused(tmp_path):
    codes, errors = at_once(tmp_path, ["one", "two", "three"])
    assert sorted(codes) == [0, 1, 1]
    assert sum(b"exists and has other content" in error for error in errors) == 2
    owners = {json.loads((tmp_path / f"{name}.jsonl").read_text().split("\n")[0])["own"] for name in "abc"}
    assert len(owners) == 1
    assert len(lines(tmp_path)) == 3


def test_writers_of_a_folder_wait_for_each_other(tmp_path):
    other = threading.Thread(target=write, args=(tmp_path / "a.jsonl",))
    with processes.locked([tmp_path, tmp_path / "."]):  # the same folder twice does not deadlock
        other.start()
        other.join(0.3)
        assert other.is_alive()
        assert not (tmp_path / "a.jsonl").exists()
    other.join(10)
    assert (tmp_path / "a.jsonl").exists()


def test_where_folders_cannot_be_locked_a_file_is(tmp_path, monkeypatch):
    real = fcntl.flock

    def no_folders(handle, how):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EBADF, "as NFS says")
        real(handle, how)

    monkeypatch.setattr(fcntl, "flock", no_folders)
    write(tmp_path / "a.jsonl")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"a.jsonl", "manifest.jsonl", processes.FALLBACK}


WRONG_ROWS = [
    ({"id": 1}, 'row 2: field "answer": is missing'),
    ({"id": "1", "answer": "2"}, 'row 2: field "id": expected a whole number, got text'),
    ({"id": 2**64, "answer": "2"}, 'row 2: field "id": expected a whole number, got .* beyond 64 bits'),
    (["id"], "row 2: expected an object"),
    ({"id": 1, "answer": "2", "more": {1, 2}}, "row 2: cannot be written as JSON"),
    ({"id": 1, "answer": "2", (1,): 2}, "row 2: cannot be written as JSON"),
    ({"id": 1, "answer": b"2"}, "row 2: cannot be written as JSON"),
]


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
@pytest.mark.parametrize(("row", "problem"), WRONG_ROWS)
def test_a_row_the_next_command_would_refuse_is_not_written(row, problem, suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    blamed = rf"{problem}.*; the row comes from answer of the task t"
    with pytest.raises(UserError, match=blamed), records.Outputs() as outputs:
        outputs.rows(path, [{"id": 0, "answer": "1"}, row], FORM, producer="answer of the task t")
    assert list(tmp_path.iterdir()) == []


class Text(str):
    __slots__ = ()


def test_what_reads_back_right_is_right(tmp_path):
    rows = [{"id": 0, "answer": Text("1"), "more": (1, 2)}]
    with records.Outputs() as outputs:
        assert outputs.rows(tmp_path / "a.jsonl", rows, FORM) == 1
    assert list(records.read(tmp_path / "a.jsonl", FORM)) == [{"id": 0, "answer": "1", "more": [1, 2]}]


def test_rows_for_the_standard_output_come_whole_or_not_at_all(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with records.Outputs() as outputs:
        outputs.rows("-", [{"id": 0}, {"id": 1}])
        outputs.note()
        assert capfd.readouterr().out == ""
    assert capfd.readouterr().out == '{"id": 0}\n{"id": 1}\n'
    with pytest.raises(UserError, match="answer"), records.Outputs() as outputs:
        outputs.rows("-", [{"id": 0, "answer": ""}, {"id": 1}], FORM)
    assert capfd.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


def test_only_rows_go_to_the_standard_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = "is the standard output, to which this cannot be written"
    with pytest.raises(UserError, match=refused), records.Outputs() as outputs:
        outputs.text("-", "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("inside", ["", "a.json", "new/a.json"])
def test_a_loop_of_links_is_no_place_for_a_file(inside, tmp_path):
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    with pytest.raises(UserError, match=r"cannot be written \(Too many levels of symbolic links\)") as wrong:
        records.write(tmp_path / "loop" / inside, [], force=True)
    assert wrong.value.exit_code == 2
    assert {path.name for path in tmp_path.iterdir()} == {"loop", "pool"}


@pytest.mark.parametrize(
    ("name", "problem"),
    [("x" * 300, "File name too long"), ("a\0b", "is not the name of a file"), ("y/" * 3000, "too long")],
    ids=["long", "null", "deep"],
)
def test_what_is_no_name_of_a_file(name, problem, tmp_path):
    with pytest.raises(UserError, match=problem):
        records.write(tmp_path / f"{name}.json", [])


def test_a_device_is_not_written_to():
    with pytest.raises(UserError, match=r"/dev/full: is not a regular file"):
        records.write("/dev/full", [], force=True)


def test_half_a_surrogate_pair_in_a_text_is_the_users_to_fix(tmp_path):
    with pytest.raises(UserError, match="not valid Unicode"), records.Outputs() as outputs:
        outputs.text(tmp_path / "a.yaml", "model: \udcff")
    assert list(tmp_path.iterdir()) == []


FAILURES = [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES]


def failing(code):
    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    return fail


def make_temporary_files_fail_to_write(monkeypatch, code):
    monkeypatch.setattr(_NamedFile, "write", lambda self, _: _raise(self, code))


def _raise(file, code):
    raise file._error(OSError(code, os.strerror(code)))


def open_parts(patch, how):
    """Replace the opening of temporary files, and of no others."""
    real = os.open
    patch.setattr(
        os,
        "open",
        lambda path, *rest, **more: (how if str(path).endswith(".part") else real)(path, *rest, **more),
    )


STEPS = {
    "making folders": lambda patch, code: patch.setattr(Path, "mkdir", failing(code)),
    "making the file": lambda patch, code: open_parts(patch, lambda *_: failing(code)()),
    "writing": make_temporary_files_fail_to_write,
    "reaching the disk": lambda patch, code: patch.setattr(os, "fsync", failing(code)),
    "comparing": lambda patch, code: patch.setattr("filecmp.cmp", failing(code)),
    "renaming": lambda patch, code: patch.setattr(Path, "replace", failing(code)),
}


@pytest.mark.parametrize("code", FAILURES, ids=errno.errorcode.get)
@pytest.mark.parametrize("step", STEPS)
def test_a_disk_that_takes_nothing_is_named_with_the_file(step, code, tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_text("mine")
    STEPS[step](monkeypatch, code)
    with pytest.raises(UserError, match=os.strerror(code)) as wrong:
        write(tmp_path / "a.jsonl", force=True)
    assert (wrong.value.exit_code, wrong.value.file) == (2, tmp_path / "a.jsonl")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
    assert (tmp_path / "a.jsonl").read_text() == "mine"


def test_a_file_of_the_system_that_takes_nothing(tmp_path, monkeypatch):
    """The write fails in the kernel here, whose full device stands for a full disk."""
    opened = os.open
    open_parts(monkeypatch, lambda *_: opened("/dev/full", os.O_RDWR))
    with pytest.raises(UserError, match=r"a\.jsonl: cannot be written \(No space left on device\)"):
        write(tmp_path / "a.jsonl", [{"id": n} for n in range(10**5)])
    assert list(tmp_path.iterdir()) == []


def test_files_in_place_before_the_disk_failed_are_noted(tmp_path, monkeypatch):
    real = Path.replace

    def only_a(path, target):
        if target.name == "b.jsonl":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, target)

    monkeypatch.setattr(Path, "replace", only_a)
    with pytest.raises(UserError, match=r"b\.jsonl: cannot be written"), records.Outputs() as outputs:
        outputs.rows(tmp_path / "a.jsonl", [])
        outputs.rows(tmp_path / "b.jsonl", [])
        outputs.note()
    assert [line["file"] for line in lines(tmp_path)] == ["a.jsonl"]
    assert not list(tmp_path.glob("*.part"))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KB, where one can be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("only root on Linux may mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(small_disk):
    with pytest.raises(UserError, match=r"a\.jsonl: cannot be written \(No space left on device\)"):
        write(small_disk / "new" / "a.jsonl", ({"text": "x" * 1000} for _ in range(1000)))
    assert list(small_disk.iterdir()) == []


def test_a_read_only_disk(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(UserError, match=r"a\.jsonl: cannot be written \(Read-only file system\)"):
        write(small_disk / "new" / "a.jsonl")


def test_a_manifest_never_ends_in_a_torn_line(tmp_path, monkeypatch):
    write(tmp_path / "a.jsonl")
    before = (tmp_path / "manifest.jsonl").read_bytes()
    for torn in (b'{"file": "b.js', before.splitlines()[0]):  # a kill, and an editor
        (tmp_path / "manifest.jsonl").write_bytes(before + torn)
        write(tmp_path / f"{len(torn)}.jsonl")
        assert [line["file"] for line in lines(tmp_path)][-1] == f"{len(torn)}.jsonl"
    before = (tmp_path / "manifest.jsonl").read_bytes()

    class Full(io.FileIO):
        def write(self, data):
            super().write(bytes(data)[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", lambda path, mode, **_: Full(path, mode.replace("b", "")))
    with pytest.raises(UserError, match=r"manifest\.jsonl: cannot be written \(No space left on device\)"):
        manifest.append([(tmp_path, "{}")])
    monkeypatch.undo()
    assert (tmp_path / "manifest.jsonl").read_bytes() == before


def test_a_manifest_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "manifest.jsonl")
    with pytest.raises(UserError, match=r"manifest\.jsonl: cannot be written \(not a regular file\)"):
        write(tmp_path / "a.jsonl")


def calls(name):
    """Every call of a method of this name in the package: its file and its node."""
    for file in sorted((ROOT / "w2s_factory").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == name:
                yield file.relative_to(ROOT / "w2s_factory").as_posix(), node


def test_every_command_says_what_its_rows_must_be():
    formless = {
        file
        for file, call in calls("rows")
        if ast.unparse(call.func) in ("outputs.rows", "records.Outputs.rows") and len(call.args) < 3
    }
    assert formless == {"llamafactory/long_rows.py"}  # rows of any dataset, read as any dataset


def test_an_interrupt_while_a_file_is_created_leaves_none(tmp_path, monkeypatch):
    opened = os.open

    def interrupted(*arguments):
        os.close(opened(*arguments))
        raise KeyboardInterrupt

    open_parts(monkeypatch, interrupted)
    with pytest.raises(KeyboardInterrupt), records.Outputs() as outputs:
        outputs.rows(tmp_path / "rows.jsonl", [{"id": 1}], records.ANY)
    assert list(tmp_path.iterdir()) == []


def test_files_of_an_earlier_command_are_removed_when_all_others_are_in_place(tmp_path):
    for name in ("old.txt", "older.txt", "kept.txt"):
        write_text(tmp_path / name, name)
    with pytest.raises(UserError, match=r"kept\.txt: exists"), records.Outputs() as outputs:
        outputs.text(tmp_path / "kept.txt", "other")
        outputs.remove(tmp_path, ["old.txt"])
    assert (tmp_path / "old.txt").exists()
    with records.Outputs() as outputs:
        outputs.text(tmp_path / "new.txt", "new")
        outputs.remove(tmp_path, ["old.txt", "older.txt", "never there.txt"])
        outputs.note()
    assert {path.name for path in tmp_path.iterdir()} == {"kept.txt", "new.txt", "manifest.jsonl"}
    assert [line["file"] for line in lines(tmp_path)] == ["kept.txt", "new.txt"]


def test_a_file_that_cannot_be_removed_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"folder: cannot be removed \("), records.Outputs() as outputs:
        outputs.remove(tmp_path, ["folder"])


def write_text(path, text):
    with records.Outputs() as outputs:
        outputs.text(path, text)
        outputs.note()
