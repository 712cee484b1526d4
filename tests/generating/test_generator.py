"""Runs: what is asked, what is kept, what is refused. The engine answers at once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from echo_engine import Echo
from small_runs import asking, rows

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.generating import (
    Model,
    Sampling,
    Shard,
    generate,
    generator,
    merge_shards,
    preview,
)
from w2s_factory.generating.part import Part
from w2s_factory.records import write
from w2s_factory.records.journal import Journal
from w2s_factory.tasks import get_task


@pytest.fixture
def options(monkeypatch):
    """Of the engine; whatever engine is named, it is the one that answers at once."""
    options = {}
    monkeypatch.setattr(generator, "make_engine", lambda name, model, _: Echo(model, **options))
    Echo.asked = []
    return options


@pytest.fixture
def printed():
    return []


@pytest.fixture
def generation(tmp_path, options):
    return asking(tmp_path, 5, engine="echo")


def test_rows_in_the_order_of_the_questions(tmp_path, generation):
    [made] = generate(generation)
    assert (made.file, made.rows, made.at_limit) == (tmp_path / "out/output.jsonl", 5, 1)
    assert made.file.read_text().splitlines()[1] == json.dumps(
        {"id": 1, "prompt": "Question: q1\nAnswer:", "response": "echo 1 0"}
    )
    assert [row["id"] for row in rows(made.file)] == [0, 1, 2, 3, 4]
    kept = rows(tmp_path / "out/output.journal.jsonl")[1:]
    assert {"id": 0, "seed": 0, "text": " echo 0 0.\n", "finish": "length", "tokens": 3} in kept


def test_the_manifest_says_how(tmp_path, generation):
    generate(generation)
    generate(generation)
    [line] = rows(tmp_path / "out/manifest.jsonl")
    assert (line["file"], line["model"], line["rows"], line["at_limit"]) == ("output.jsonl", "m", 5, 1)
    assert line["settings"]["stop"] == []
    assert line["inputs"][0]["file"].endswith("questions.jsonl")


def test_samples_go_to_a_folder_a_seed(tmp_path, generation):
    sampled = replace(generation, sampling=Sampling(temperature=1.0), seeds=[0, 1])
    made = generate(sampled)
    assert [one.file for one in made] == [tmp_path / f"out/t1.0/seed{seed}/output.jsonl" for seed in (0, 1)]
    assert [row["response"] for row in rows(made[1].file)] == [f"echo {n} 1" for n in range(5)]
    more = generate(replace(sampled, seeds=[0, 1, 2]))
    assert len(more) == 3
    assert len(Echo.asked) == 15


@pytest.mark.parametrize("stop_after", range(5))
def test_an_interrupted_run_asks_only_for_parts_that_miss_something(generation, options, printed, stop_after):
    undisturbed = generate(generation)[0].file.read_bytes()
    options.update(stop_after=stop_after, error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        generate(generation, restart=True, tell=printed.append)
    assert printed == [
        f"{stop_after} of 5 responses are kept; the same command, without --restart, continues from there"
    ]
    options.clear()
    Echo.asked = []
    [made] = generate(generation)
    assert made.file.read_bytes() == undisturbed
    finished = {0: [], 1: [4], 2: [4], 3: [4, 3, 2], 4: [4, 3, 2]}[stop_after]  # parts of two, the last first
    assert [id_ for _, id_ in Echo.asked] == [n for n in (4, 3, 2, 1, 0) if n not in finished]
    kept = rows(made.file.with_name("output.journal.jsonl"))[1:]
    assert sorted(row["id"] for row in kept) == [0, 1, 2, 3, 4]


def test_a_run_says_that_responses_go_on_with_new_questions(generation, options, printed, monkeypatch):
    generate(generation, tell=printed.append)
    assert printed == []
    monkeypatch.setattr(Part, "texts", ["2\nQuestion: and more?"] * 5)
    generate(generation, tell=printed.append)
    assert printed == [
        '5 of 5 responses go on with a new "Question:". Set --stop "Question:", then --restart'
    ]
    stopped = replace(generation, sampling=Sampling(stop=("###",)))
    generate(stopped, restart=True, tell=printed.append)
    assert 'Set --stop "###" --stop "Question:", then' in printed[1]


def test_a_finished_run_asks_nothing(generation):
    generate(generation)
    Echo.asked = []
    generate(generation)
    assert Echo.asked == []


def test_a_lost_output_is_written_again_from_the_journal(generation):
    [made] = generate(generation)
    before = made.file.read_bytes()
    made.file.unlink()
    Echo.asked = []
    generate(generation)
    assert (made.file.read_bytes(), Echo.asked) == (before, [])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sampling": Sampling(max_tokens=7)}, "max_tokens was 1024, is 7. "),
        ({"sampling": Sampling(stop=("x",))}, r'stop was \[\], is \["x"\]. '),
        ({"model": Model("other")}, 'model was "m", is "other". '),
        ({"limit": 3}, "questions was .5, sha256:.*, is .3, sha256:"),
        ({"engine": "another"}, 'engine was "echo", is "another". '),
        ({"task": get_task("math")}, 'task was "gsm8k", is "math"'),
    ],
)
def test_a_changed_setting_is_refused_and_named(generation, options, change, named):
    [made] = generate(generation)
    before = made.file.read_bytes()
    changed = replace(generation, **change)
    with pytest.raises(UserError, match=f"other settings: .*{named}.*--restart"):
        generate(changed)
    assert made.file.read_bytes() == before
    generate(changed, restart=True)


def test_a_changed_setting_is_refused_before_the_engine_is_started(generation, monkeypatch):
    generate(generation)
    monkeypatch.setattr(generator, "make_engine", lambda *_: pytest.fail("the engine was started"))
    with pytest.raises(UserError, match="max_tokens was 1024, is 7"):
        generate(replace(generation, sampling=Sampling(max_tokens=7)))


def test_a_changed_hash_is_said_in_words_after_what_can_be_read(generation, tmp_path):
    generate(generation)
    write(tmp_path / "other.jsonl", [{"question": f"r{n}"} for n in range(5)])
    changed = replace(generation, questions=tmp_path / "other.jsonl", sampling=Sampling(stop=("x",)))
    with pytest.raises(UserError) as refused:
        generate(changed)
    assert refused.value.problem == (
        'was started with other settings: stop was [], is ["x"]; the questions have changed; '
        "the prompts have changed"
    )


def test_a_changed_setting_can_begin_the_run_anew(generation):
    [made] = generate(generation)
    changed = replace(generation, limit=3)
    generate(changed, restart_if_changed=True)
    assert len(rows(made.file)) == 3
    undisturbed = made.file.read_bytes()
    Echo.asked = []
    generate(changed, restart_if_changed=True)
    assert (Echo.asked, made.file.read_bytes()) == ([], undisturbed)


def test_an_unchanged_run_goes_on_where_a_changed_one_would_start_over(generation, options):
    options.update(stop_after=2, error=DelegateError("died"))
    with pytest.raises(DelegateError):
        generate(generation, restart_if_changed=True)
    options.clear()
    Echo.asked = []
    generate(generation, restart_if_changed=True)
    assert [id_ for _, id_ in Echo.asked] == [3, 2, 1, 0]


def test_a_file_of_unknown_making_is_begun_anew_if_that_was_asked_for(tmp_path, generation):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/output.jsonl").write_text("theirs\n")
    generate(generation, restart_if_changed=True)
    assert len(rows(tmp_path / "out/output.jsonl")) == 5


@pytest.mark.parametrize("how", ["restart", "restart_if_changed"])
def test_a_restarted_run_that_is_interrupted_goes_on_like_any_other(generation, options, how):
    [made] = generate(generation)
    changed = replace(generation, sampling=Sampling(max_tokens=7))
    options.update(stop_after=2, error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        generate(changed, **{how: True})
    assert not made.file.exists()  # it would pass for the new run's
    options.clear()
    Echo.asked = []
    generate(changed)
    assert [id_ for _, id_ in Echo.asked] == [3, 2, 1, 0]
    assert len(rows(made.file)) == 5


def test_a_restart_does_not_take_the_journal_from_its_writer(generation):
    [made] = generate(generation)
    with (
        Journal(made.file.with_name("output.journal.jsonl"), {}),
        pytest.raises(UserError, match="another process"),
    ):
        generate(generation, restart=True)
    assert len(rows(made.file)) == 5


def test_a_start_that_failed_is_no_run_to_be_kept(generation, options):
    options.update(stop_after=0, error=DelegateError("died"))
    with pytest.raises(DelegateError):
        generate(generation)
    options.clear()
    generate(replace(generation, model=Model("other")))


def test_what_does_not_decide_the_texts_may_change(generation):
    generate(generation)
    generate(replace(generation, engine_options={"batch_size": 3}))


def test_a_changed_demonstration_is_refused(tmp_path, generation):
    shown = {"id": 9, "prompt": "p", "response": "r", "source": "s", "sha256": "h"}
    write(tmp_path / "demos.json", [shown])
    few_shot = replace(generation, demonstrations=tmp_path / "demos.json")
    [made] = generate(few_shot)
    assert rows(made.file)[0]["prompt"] == "p r\n\nQuestion: q0\nAnswer:"
    write(tmp_path / "demos.json", [{**shown, "response": "R"}], force=True)
    with pytest.raises(UserError, match="other settings: the demonstrations have changed; the prompts have"):
        generate(replace(few_shot))


@pytest.mark.parametrize("exclude", [False, True])
def test_a_demonstration_of_a_question_that_is_asked_is_reported(tmp_path, generation, printed, exclude):
    shown = {"id": 2, "prompt": "Question: q2\nAnswer:", "response": "r", "source": "s", "sha256": "h"}
    write(tmp_path / "demos.json", [shown])
    few_shot = replace(generation, demonstrations=tmp_path / "demos.json", exclude_demos=exclude)
    [made] = generate(few_shot, tell=printed.append)
    assert "(id 2)" in printed[0]
    assert ("left out of those prompts" in printed[0]) == exclude
    assert (rows(made.file)[2]["prompt"] == "Question: q2\nAnswer:") == exclude


def test_a_file_that_is_not_ours_is_not_overwritten(tmp_path, generation):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/output.jsonl").write_text("theirs\n")
    with pytest.raises(UserError, match="without a journal of its settings"):
        generate(generation)
    assert (tmp_path / "out/output.jsonl").read_text() == "theirs\n"
    assert Echo.asked == []
    generate(generation, restart=True)
    assert len(rows(tmp_path / "out/output.jsonl")) == 5


def test_an_engine_that_leaves_requests_unanswered(generation, options):
    options["stop_after"] = 3
    with pytest.raises(DelegateError, match="left 2 requests unanswered"):
        generate(generation)


def test_no_questions(tmp_path, generation):
    (tmp_path / "questions.jsonl").write_text("")
    with pytest.raises(UserError, match="holds no questions"):
        generate(generation)


def test_a_preview_of_a_shard_without_questions(generation):
    with pytest.raises(UserError, match=r"--shard.* of the 2 questions is empty"):
        preview(replace(generation, limit=2, shard=Shard(1, 4)))


def test_a_dry_run_writes_nothing(tmp_path, generation):
    seen = preview(replace(generation, sampling=Sampling(temperature=1.0), seeds=range(10)))
    assert (seen.prompt, seen.tokens, seen.requests) == ("Question: q0\nAnswer:", None, 50)
    assert seen.files[9] == tmp_path / "out/t1.0/seed9/output.jsonl"
    assert not (tmp_path / "out").exists()


def sharded(generation, of):
    return [replace(generation, shard=Shard(index, of)) for index in range(1, of + 1)]


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_merged_shards_are_the_whole(tmp_path, generation, of):
    [whole] = generate(generation)
    for shard in sharded(replace(generation, output_dir=tmp_path / "parts"), of):
        generate(shard)
    assert merge_shards(tmp_path / "parts") == [tmp_path / "parts/output.jsonl"]
    assert (tmp_path / "parts/output.jsonl").read_bytes() == whole.file.read_bytes()
    merge_shards(tmp_path / "parts")


def test_shards_of_samples(tmp_path, generation):
    sampled = replace(generation, sampling=Sampling(temperature=1.0), seeds=[0, 1])
    whole = [made.file.read_bytes() for made in generate(sampled)]
    for shard in sharded(replace(sampled, output_dir=tmp_path / "parts"), 2):
        generate(shard)
    assert [file.read_bytes() for file in merge_shards(tmp_path / "parts")] == whole


def test_shards_of_a_greedy_run_are_merged_beside_unfinished_samples(tmp_path, generation):
    sampled = replace(generation, sampling=Sampling(temperature=1.0))
    generate(sharded(sampled, 2)[0])
    for shard in sharded(generation, 2):
        generate(shard)
    assert merge_shards(tmp_path / "out", here=True) == [tmp_path / "out/output.jsonl"]
    with pytest.raises(UserError, match="this shard is missing"):
        merge_shards(tmp_path / "out")


def test_shards_that_do_not_make_a_whole(tmp_path, generation, options):
    with pytest.raises(UserError, match="holds no shards"):
        merge_shards(tmp_path)
    (tmp_path / "none/shards").mkdir(parents=True)
    with pytest.raises(UserError, match=r"none/shards: holds no shards \(folders such as 1-of-4\)"):
        merge_shards(tmp_path / "none")
    first, second = sharded(generation, 2)
    generate(first)
    with pytest.raises(UserError, match="2-of-2: this shard is missing"):
        merge_shards(tmp_path / "out")
    options.update(stop_after=1, error=DelegateError("died"))
    with pytest.raises(DelegateError):
        generate(second)
    options.clear()
    with pytest.raises(UserError, match="2-of-2: this shard is not finished"):
        merge_shards(tmp_path / "out")
    generate(replace(second, sampling=Sampling(max_tokens=7)), restart=True)
    with pytest.raises(UserError, match="made with another max_tokens than 1-of-2"):
        merge_shards(tmp_path / "out")
    generate(replace(generation, shard=Shard(1, 3)))
    with pytest.raises(UserError, match="overlap"):
        merge_shards(tmp_path / "out")
    assert not (tmp_path / "out/output.jsonl").exists()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda lines: lines[:-1], "hold 4 of 5"),
        (lambda lines: [*lines, lines[0]], "question 2 is in another"),
    ],
)
def test_shards_tampered_with(tmp_path, generation, edit, message):
    for shard in sharded(generation, 2):
        generate(shard)
    file = tmp_path / "out/shards/2-of-2/output.jsonl"
    file.write_text("\n".join(edit(file.read_text().splitlines())) + "\n")
    with pytest.raises(UserError, match=message):
        merge_shards(tmp_path / "out")


def test_an_empty_journal_of_a_shard_is_named(tmp_path, generation):
    for shard in sharded(generation, 2):
        generate(shard)
    (tmp_path / "out/shards/1-of-2/output.journal.jsonl").write_text("")
    with pytest.raises(UserError, match=r"1-of-2/output\.journal\.jsonl: expected the settings .* --restart"):
        merge_shards(tmp_path / "out")


def test_a_blank_prompt_is_refused(generation, monkeypatch):
    monkeypatch.setattr(type(generation.task), "prompt", lambda _, question: " ")
    with pytest.raises(UserError, match=r"^id 0: the task gsm8k gives a blank prompt$"):
        generate(generation)
    assert not generation.output_dir.exists()


def test_a_response_file_that_is_not_its_journals_is_kept_and_the_remedy_named(generation):
    [made] = generate(generation)
    made.file.write_text(made.file.read_text().replace("echo 1", "echo 9"))
    with pytest.raises(UserError, match=r"other content.*from the journal.*--restart") as refused:
        generate(generation)
    assert "--force" not in str(refused.value)


def test_a_damaged_line_of_an_unfinished_journal_is_requested_again_and_reported(
    generation, options, tmp_path
):
    [made] = generate(generation)
    expected, journal = made.file.read_text(), tmp_path / "out/output.journal.jsonl"
    whole = sorted(journal.read_text().splitlines())
    made.file.unlink()
    journal.unlink()
    options["stop_after"], said = 3, []
    with pytest.raises(DelegateError):
        generate(generation, tell=said.append)
    del options["stop_after"]
    assert journal.with_name(".output.journal.jsonl.hashes").exists()
    journal.write_text(journal.read_text().replace("echo 3", "echt 3"))
    Echo.asked = []
    generate(generation, tell=said.append)
    assert f"{journal}: dropped 1 damaged line; missing responses are requested again" in said
    assert sorted(asked for _, asked in Echo.asked) == [0, 1, 2, 3]  # 2 is in the batch of 3
    assert made.file.read_text() == expected
    assert sorted(journal.read_text().splitlines()) == whole
    assert sorted(path.name for path in journal.parent.iterdir()) == [
        ".output.journal.jsonl.hashes",
        "manifest.jsonl",
        "output.journal.jsonl",
        "output.jsonl",
    ]
