"""Stage II end to end on small files: what is written, what is refused."""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.memory import peak
from w2s_factory import building, records
from w2s_factory.building.response_rule import ResponseRule
from w2s_factory.errors import UserError
from w2s_factory.records import row_index
from w2s_factory.tasks import get_task

GSM8K = get_task("gsm8k")


def prompt(number: int) -> str:
    return f"Question: {number}?\nAnswer:"


def weak_row(number: int, pred: str):
    return {"id": number, "prompt": prompt(number), "response": f"weak\n#### {pred}", "pred": pred}


def sample(seed: int, pred: str):
    return {"response": f"seed {seed}\n#### {pred}", "pred": pred, "result": pred == "1"}


def vote(number: int, answers: str = "1111111122", **changes):
    pools = [sample(seed, pred) for seed, pred in enumerate(answers)]
    majority = [one for one in pools if one["pred"] == answers[0]]
    return {
        "id": number,
        "prompt": prompt(number),
        "gold": "1",
        "pos_responses": majority,
        "neg_responses": [one for one in pools if one["pred"] != answers[0]],
        "confidence": len(majority) / len(pools),
    } | changes


@pytest.fixture
def files(tmp_path):
    """Question 0: weak agrees. Question 1: weak differs. Question 2: no confident majority."""
    weak = [weak_row(0, "1"), weak_row(1, "7"), weak_row(2, "1")]
    votes = [vote(0), vote(1), vote(2, "1111122222")]
    records.write(tmp_path / "weak.jsonl", weak)
    records.write(tmp_path / "votes.jsonl", votes)
    return tmp_path


def stage2(folder, **options):
    return building.build_stage2(
        GSM8K, folder / "weak.jsonl", folder / "votes.jsonl", folder / "out/paired.json", **options
    )


def test_counts_pairs_and_origins(files):
    made = stage2(files, form="columns")
    assert (made.counts.weak_chosen, made.counts.weak_rejected, made.counts.questions) == (1, 1, 3)
    assert made.counts.skipped["no confident majority"] == 1
    first, second = json.loads(made.built.file.read_text())
    assert first["chosen"] == "weak\n#### 1"
    assert second["rejected"] == "weak\n#### 7"
    origins = [json.loads(line) for line in made.origins.read_text().splitlines()]
    assert [origin["weak_side"] for origin in origins] == ["chosen", "rejected"]
    assert origins[0]["votes"] == {"1": 8, "2": 2}
    assert origins[0]["seed"] is None


def test_full_weak_data_gives_the_same_pairs(files):
    stage2(files, form="release")
    before = (files / "out/paired.json").read_bytes()
    rows = [json.loads(line) for line in (files / "weak.jsonl").read_text().splitlines()]
    full = [{"id": row["id"], "content": row["prompt"], "output": row["response"]} for row in rows]
    (files / "weak.jsonl").write_text(json.dumps(full))
    stage2(files, form="release")
    assert (files / "out/paired.json").read_bytes() == before


def test_seeds_are_named_where_the_samples_are_at_hand(files):
    for seed in range(10):
        rows = []
        for number, answers in enumerate(["1111111122", "1111111122", "1111122222"]):
            one = sample(seed, answers[seed])
            rows.append({"id": number, "prompt": prompt(number), "gold": "1"} | one)
        records.write(files / f"t1.0/seed{seed}/results.jsonl", rows)
    made = stage2(files, samples=files / "t1.0")
    for origin, pair in zip(
        map(json.loads, made.origins.read_text().splitlines()),
        records.read_pairs(made.built.file),
        strict=True,
    ):
        assert f"seed {origin['seed']}\n" in pair["output"][origin["weak_side"] == "chosen"]
    story = building.explain_pair(made.built.file, "1")
    assert "weak is rejected" in story
    assert "seed" in story


def test_a_pair_of_another_weak_model_is_found(files):
    made = stage2(files, form="release")
    assert building.check_pairs(made.built.file, files / "weak.jsonl").clean
    pairs = json.loads(made.built.file.read_text())
    pairs[0]["output"][0] = "somebody else's"
    pairs[1]["id"] = 99
    records.write(files / "theirs.json", pairs)
    found = building.check_pairs(files / "theirs.json", files / "weak.jsonl")
    assert (found.neither, found.unknown, found.clean) == ([0], [99], False)


WEAK = [weak_row(0, "1"), weak_row(1, "7"), weak_row(2, "1")]
BAD = [
    (WEAK[:2], [vote(0), vote(1), vote(2)], "the id 2 is not in"),
    (WEAK, [vote(0), vote(1)], "the id 2 of .* has no vote"),
    (WEAK, [vote(0), vote(0)], "duplicate id"),
    ([*WEAK, WEAK[0]], [vote(0)], "duplicate id"),
    (WEAK, [vote(0, confidence=1.2)], "expected a number from 0 to 1, got 1.2"),
    (WEAK, [vote(0, pos_responses=[])], 'field "pos_responses"'),
    (WEAK, [vote(0, neg_responses=["text"])], 'field "neg_responses"'),
    (WEAK, [vote(0, prompt="Question: of another split?\nAnswer:")], "is that of another question"),
    ([weak_row(0, "1")], [vote(0, "1" * 10)], "none of 1 questions gives a pair"),
    ([{"id": 0, "prompt": "p", "response": "r"}], [vote(0)], 'field "pred": is missing'),
]


@pytest.mark.parametrize(("weak", "votes", "problem"), BAD, ids=[problem for *_, problem in BAD])
def test_what_does_not_belong_together_is_refused_and_writes_nothing(tmp_path, weak, votes, problem):
    records.write(tmp_path / "weak.jsonl", weak)
    records.write(tmp_path / "votes.jsonl", votes)
    with pytest.raises(UserError, match=problem):
        stage2(tmp_path)
    assert not list((tmp_path / "out").glob("*"))


def test_why_a_question_has_no_pair(files):
    made = stage2(files)
    with pytest.raises(UserError, match=r'no pair of the question "2". .* --task, --weak and --votes'):
        building.explain_pair(made.built.file, "2")
    weak, votes = files / "weak.jsonl", files / "votes.jsonl"
    source = building.PairSource(GSM8K, weak, votes, building.PairRules())
    story = building.explain_pair(made.built.file, "2", source)
    assert story.splitlines()[2:] == [
        "votes: 1 5x, 2 5x (confidence 0.50)",
        "weak answer: 1",
        "no pair: no confident majority",
    ]
    assert "weak is rejected" in building.explain_pair(made.built.file, "1", source)
    with pytest.raises(UserError, match='no question "9"'):
        building.explain_pair(made.built.file, "9", source)
    lower = building.PairSource(GSM8K, weak, votes, building.PairRules(min_confidence=0.5))
    with pytest.raises(UserError, match="to which these votes and thresholds give a pair"):
        building.explain_pair(made.built.file, "2", lower)


def test_the_origins_of_a_converted_file_are_said_to_lie_elsewhere(files):
    made = stage2(files, form="release")
    converted = building.convert_pairs(made.built.file, files / "out/columns.json", "columns")
    with pytest.raises(UserError, match=r"columns.json: columns.origins.jsonl, .* file that was converted"):
        building.explain_pair(converted.file, "0")


def test_the_command_tells_a_story_and_checks(files, w2s):
    w2s(
        *("build-data", "--stage", 2, "--task", "gsm8k", "--weak", files / "weak.jsonl"),
        *("--votes", files / "votes.jsonl", "--output", "paired.json"),
    )
    story = w2s("build-data", "--stage", 2, "--output", "paired.json", "--explain", 0).stdout
    assert "weak is chosen" in story
    files_named = ("--task", "gsm8k", "--weak", files / "weak.jsonl", "--votes", files / "votes.jsonl")
    story = w2s("build-data", "--stage", 2, "--output", "paired.json", "--explain", 2, *files_named).stdout
    assert "no pair: no confident majority" in story
    check = ("build-data", "--stage", 2, "--check", "paired.json", "--weak")
    assert w2s(*check, files / "weak.jsonl").stdout.endswith("clean\n")
    records.write(files / "others.jsonl", [weak_row(number, "3") for number in range(3)])
    assert "not clean" in w2s(*check, files / "others.jsonl", code=1).stdout


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--min-confidence", 1.5], "--min-confidence"),
        (["--pairs-per-question", 0], "--pairs-per-question"),
        (["--samples", "nowhere"], "holds no seed0"),
        (["--explain", 3], "--output"),
        (["--check", "paired.json"], "--weak"),
        (["--check", "paired.json", "--votes", "v.jsonl"], '"--votes": is not read with --check'),
        (["--check", "paired.json", "--explain", 3], '"--check": is not read with --explain'),
        (
            ["--explain", 3, "--output", "paired.json", "--samples", "t1.0"],
            '"--samples": is not read with --explain',
        ),
        (["--explain", 3, "--output", "paired.json"], "paired.origins.jsonl"),
    ],
)
def test_misuse_is_one_line(files, w2s, options, problem):
    given = ["--task", "gsm8k"] + ([] if "--check" in options else ["--votes", files / "votes.jsonl"])
    weak = [] if "--check" in options else ["--weak", files / "weak.jsonl"]
    done = w2s("build-data", "--stage", 2, *given, *weak, *options, code=2)
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1


def write_questions(folder, questions, length=0):
    """Questions of all kinds, with the results of each seed."""
    folder.mkdir()
    answers = ["1111111122", "1111122222", "1111111111", "2211111111"]
    votes = [vote(number, answers[number % 4]) for number in range(questions)]
    for row in votes:
        for one in [*row["pos_responses"], *row["neg_responses"]]:
            one["response"] = f"{row['id']} {'x' * length} {one['response']}"
    records.write(
        folder / "weak.jsonl", [weak_row(number, "17"[number % 3 == 0]) for number in range(questions)][::-1]
    )
    records.write(folder / "votes.jsonl", votes)
    by_seed = [sorted([*row["pos_responses"], *row["neg_responses"]], key=str) for row in votes]
    for seed in range(10):
        rows = [
            {"id": row["id"], "prompt": "p"} | found[seed] for row, found in zip(votes, by_seed, strict=True)
        ]
        records.write(folder / f"samples/seed{seed + 3}/results.jsonl", rows)
    return folder


@pytest.mark.parametrize("rule", [None, ResponseRule(extraction="auto", mode="published")])
def test_questions_worked_on_together_change_nothing(tmp_path, monkeypatch, rule):
    folder = write_questions(tmp_path / "made", 40)
    built = {}
    for size in (10**9, 100, 1):
        monkeypatch.setattr(row_index, "_TOGETHER", size)
        made = stage2(
            folder, response_rule=rule, samples=folder / "samples", recipe=building.Recipe(force=True)
        )
        files = made.built.file.read_bytes(), made.origins.read_bytes()
        built[size] = made.counts, files
    assert built[1] == built[100] == built[10**9]
    seeds = {json.loads(line)["seed"] for line in built[1][1][1].splitlines()}
    assert len(seeds) > 3
    assert seeds <= set(range(3, 13))


def test_memory_does_not_grow_with_the_responses(tmp_path, monkeypatch):
    monkeypatch.setattr(row_index, "_TOGETHER", 100_000)
    folders = {number: write_questions(tmp_path / str(number), number, length=500) for number in (100, 1000)}
    few, many = (peak(partial(stage2, folder, samples=folder / "samples")) for folder in folders.values())
    assert many < few + 900 * 1_000  # of 5,000 characters of samples
