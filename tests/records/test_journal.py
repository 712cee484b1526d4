"""Journals: what a kill, a full disk or a second writer can do to them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_factory.errors import UserError
from w2s_factory.records import Journal
from w2s_factory.records import journal as journal_module
from w2s_factory.records.journal import has_intact_header

HEADER = {"settings": {"a": 1}}


def rows_of(path):
    with Journal(path, {}) as journal:
        return journal.rows


def test_rows_come_back_in_order(tmp_path):
    with Journal(tmp_path / "j", HEADER) as journal:
        assert (journal.header, journal.rows) == (HEADER, [])
        journal.append({"id": 1, "text": "é\ud800\n"})
        journal.append({"id": 2})
    with Journal(tmp_path / "j", {"settings": "others"}) as journal:
        assert journal.header == HEADER
        assert journal.rows == [{"id": 1, "text": "é\ud800\n"}, {"id": 2}]
        journal.append({"id": 3})
    assert len(rows_of(tmp_path / "j")) == 3


@given(st.data())
def test_cut_anywhere_it_keeps_every_whole_row(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("journal") / "j"
    rows = [{"id": n, "text": "x" * (n % 7)} for n in range(6)]
    with Journal(path, HEADER) as journal:
        for row in rows:
            journal.append(row)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    kept = max(0, whole[:cut].count(b"\n") - 1)
    with Journal(path, HEADER) as journal:
        assert journal.header == HEADER
        assert journal.rows == rows[:kept]
        for row in rows[kept:]:
            journal.append(row)
    assert path.read_bytes() == whole


def test_a_torn_line_that_ends_is_dropped_too(tmp_path):
    (tmp_path / "j").write_text('{"h": 1}\n{"id": 1}\n{"id": \n')
    assert rows_of(tmp_path / "j") == [{"id": 1}]
    assert (tmp_path / "j").read_text() == '{"h": 1}\n{"id": 1}\n'


def test_a_line_broken_within_is_an_error(tmp_path):
    (tmp_path / "j").write_text('{"h": 1}\n{"id": \n{"id": 2}\n')
    with pytest.raises(UserError, match="j:2: broken JSON"):
        Journal(tmp_path / "j", HEADER)


def test_one_writer_at_a_time(tmp_path):
    with Journal(tmp_path / "j", HEADER), pytest.raises(UserError, match="another process is writing it"):
        Journal(tmp_path / "j", HEADER)
    Journal(tmp_path / "j", HEADER).close()


def test_a_full_disk_leaves_whole_rows(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "j", HEADER)
    journal.append({"id": 1})
    real = os.write

    def full(file, data):
        if data.startswith(b'{"id": 2'):
            return real(file, data[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UserError, match=r"No space left on device.*kept"):
        journal.append({"id": 2, "text": "long"})
    monkeypatch.undo()
    assert (tmp_path / "j").read_text().splitlines() == [json.dumps(HEADER), '{"id": 1}']
    journal.append({"id": 3})
    journal.close()
    assert rows_of(tmp_path / "j") == [{"id": 1}, {"id": 3}]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        Journal(tmp_path / "file" / "j", HEADER)


@pytest.mark.parametrize("name", ["fsync", "ftruncate"])
def test_a_disk_that_fails_is_named(tmp_path, monkeypatch, name):
    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    journal = Journal(tmp_path / "j", HEADER)
    monkeypatch.setattr(os, name, fail)
    with pytest.raises(UserError, match=r"j: cannot be written \(Input/output error\)"):
        journal.close() if name == "fsync" else journal.start_over(HEADER)


ROWS = [{"id": number, "text": "x" * (number % 5)} for number in range(5)]


def journal_rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


def growing(path, rows=ROWS):
    with Journal(path, HEADER) as journal:
        for row in rows:
            journal.append(row)
    return path.read_bytes()


@given(st.data())
def test_a_flipped_bit_costs_the_rows_of_its_line_and_no_others(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("journal") / "j"
    whole = growing(path)
    place, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    flipped = bytes([*whole[:place], whole[place] ^ 1 << bit, *whole[place + 1 :]])
    path.write_bytes(flipped)
    with Journal(path, HEADER) as journal:
        assert journal.header == HEADER
        assert [row for row in journal.rows if row not in ROWS] == []
        missing = [row for row in ROWS if row not in journal.rows]
        assert len(missing) <= 2  # two if the break between them was hit
        for row in missing:
            journal.append(row)
        journal.finish()
    lines = path.read_bytes().splitlines()
    assert sorted(lines) == sorted(whole.splitlines())
    assert {name.name for name in path.parent.iterdir()} == {"j", ".j.hashes"}
    assert rows_of(path) == journal_rows(path)


def test_damaged_lines_are_counted_and_stay_until_the_end(tmp_path):
    whole = growing(tmp_path / "j")
    (tmp_path / "j").write_bytes(whole.replace(b'"id": 1', b'"id": 9'))
    for _ in range(2):
        with Journal(tmp_path / "j", HEADER) as journal:
            assert (journal.damaged, [row["id"] for row in journal.rows]) == (1, [0, 2, 3, 4])
    with Journal(tmp_path / "j", HEADER) as journal:
        journal.finish()
        assert journal.damaged == 0
    assert [row["id"] for row in rows_of(tmp_path / "j")] == [0, 2, 3, 4]


def test_a_damaged_header_of_other_settings_is_refused_or_starts_over(tmp_path):
    whole = growing(tmp_path / "j")
    (tmp_path / "j").write_bytes(whole.replace(b"settings", b"sEttings"))
    assert not has_intact_header(tmp_path / "j")
    with pytest.raises(UserError, match="j:1: the settings of its run are damaged"):
        Journal(tmp_path / "j", {"settings": "others"})
    with Journal(tmp_path / "j", {"settings": "others"}, drop_broken=True) as journal:
        assert (journal.header, journal.rows) == ({"settings": "others"}, [])


def test_a_journal_without_hashes_is_taken_as_it_is_and_gets_them(tmp_path):
    whole = growing(tmp_path / "j", ROWS[:2])
    (tmp_path / ".j.hashes").unlink()
    (tmp_path / "j").write_bytes(whole.replace(b'"id": 1', b'"id": 9'))
    assert has_intact_header(tmp_path / "j")
    with Journal(tmp_path / "j", HEADER) as journal:
        assert [row["id"] for row in journal.rows] == [0, 9]
        journal.append({"id": 3})
    (tmp_path / "j").write_bytes((tmp_path / "j").read_bytes().replace(b'"id": 9', b'"id": 8'))
    assert [row["id"] for row in rows_of(tmp_path / "j")] == [0, 3]


def test_broken_lines_of_a_journal_without_hashes_may_be_dropped(tmp_path):
    (tmp_path / "j").write_text('{"h": 1}\n{"id": \n{"id": 2}\n')
    with Journal(tmp_path / "j", HEADER, drop_broken=True) as journal:
        assert (journal.rows, journal.damaged) == ([{"id": 2}], 1)


def test_hashes_that_a_full_disk_cut_off_cost_nothing(tmp_path, monkeypatch):
    growing(tmp_path / "j")
    with (tmp_path / ".j.hashes").open("ab") as hashes:
        hashes.write(b"\nabc")
    with Journal(tmp_path / "j", HEADER) as journal:
        journal.append({"id": 7})
    assert [row["id"] for row in rows_of(tmp_path / "j")] == [0, 1, 2, 3, 4, 7]


def damaged_hashes(draw, content):
    """Return hashes with a flipped bit, cut off, or with a block of zeros."""
    place = draw(st.integers(0, len(content) - 1))
    length = draw(st.integers(1, len(content) - place))
    flipped = bytes([content[place] ^ 1 << draw(st.integers(0, 7))])
    return draw(
        st.sampled_from(
            [
                content[:place] + flipped + content[place + 1 :],
                content[:place],
                content[:place] + bytes(length) + content[place + length :],
                b"",
            ]
        )
    )


@given(st.data())
def test_damaged_hashes_cost_nothing(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("journal") / "j"
    whole = growing(path)
    hashes = path.with_name(".j.hashes")
    hashes.write_bytes(damaged_hashes(data.draw, hashes.read_bytes()))
    for drop_broken in (False, True):
        with Journal(path, HEADER, drop_broken=drop_broken) as journal:
            assert (journal.header, journal.rows, journal.damaged) == (HEADER, ROWS, 0)
    with Journal(path, HEADER) as journal:
        journal.append({"id": 5})
        journal.finish()
    assert path.read_bytes() == whole + b'{"id": 5}\n'
    assert rows_of(path) == [*ROWS, {"id": 5}]


def test_rows_that_an_earlier_version_appended_are_kept(tmp_path):
    growing(tmp_path / "j")
    for number in (7, 8):
        with (tmp_path / "j").open("a") as file:  # without hashes
            file.write(f'{{"id": {number}}}\n{{"id": {number}0}}\n')
        with Journal(tmp_path / "j", HEADER) as journal:
            assert journal.damaged == 0
            journal.append({"id": number * 100})
    assert [row["id"] for row in rows_of(tmp_path / "j")] == [0, 1, 2, 3, 4, 7, 70, 700, 8, 80, 800]


def test_hashes_of_another_journal_do_not_count(tmp_path):
    growing(tmp_path / "j")
    (tmp_path / "j").write_text(json.dumps(HEADER) + "\n" + "".join(f'{{"id": {n}}}\n' for n in "34567"))
    assert [row["id"] for row in rows_of(tmp_path / "j")] == [3, 4, 5, 6, 7]


def test_a_kill_while_damaged_lines_are_removed_loses_nothing(tmp_path, monkeypatch):
    whole = growing(tmp_path / "j")
    damaged = whole.replace(b'"id": 1', b'"id": 9')
    (tmp_path / "j").write_bytes(damaged)
    with Journal(tmp_path / "j", HEADER) as journal:
        monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            journal.finish()
        monkeypatch.undo()
        assert (tmp_path / "j").read_bytes() == damaged
        journal.finish()
        with pytest.raises(UserError, match="another process is writing it"):
            Journal(tmp_path / "j", HEADER)
    assert {path.name for path in tmp_path.iterdir()} == {"j", ".j.hashes"}
    assert len(rows_of(tmp_path / "j")) == 4


def test_a_writer_that_waits_for_a_lock_gets_the_file_that_is_there_then(tmp_path, monkeypatch):
    growing(tmp_path / "j")
    real = journal_module.lock_at_once

    def replaced_meanwhile(file):
        monkeypatch.setattr(journal_module, "lock_at_once", real)
        (tmp_path / "other").write_text(json.dumps(HEADER) + '\n{"id": 6}\n')
        (tmp_path / "other").replace(tmp_path / "j")
        return real(file)

    monkeypatch.setattr(journal_module, "lock_at_once", replaced_meanwhile)
    with Journal(tmp_path / "j", HEADER) as journal:
        journal.append({"id": 7})
    assert [row["id"] for row in journal_rows(tmp_path / "j")] == [6, 7]


def open_files():
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by Linux's list of them")
def test_many_journals_hold_one_descriptor_each(tmp_path):
    before = open_files()
    with contextlib.ExitStack() as held:
        journals = [held.enter_context(Journal(tmp_path / f"j{number}", HEADER)) for number in range(20)]
        for number in range(3):
            for journal in journals:
                journal.append({"id": number})
        assert open_files() <= before + len(journals) + 1
    assert open_files() == before
    assert all(len(rows_of(tmp_path / f"j{number}")) == 3 for number in range(20))
