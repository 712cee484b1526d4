"""The pages of all responses in a headless browser: phone and desktop, light and dark, by keyboard alone."""

from __future__ import annotations

import json
import random
import string
import time

import pytest

from tests.experiment.made_runs import ACCURACIES, LABELS, golds, make_run
from w2s_factory import records, report

pytestmark = pytest.mark.browser

HOSTILE = (
    "</script><script>document.title = 'hacked'</script><img src=x onerror=\"document.title='hacked'\">"
    "<!-- \u2028\u2029 \ud800 \0 \x1b[31m \u202e \\u003cb> ${1} `'\" &amp;"
)
TIMES = " \N{MULTIPLICATION SIGN} "
KEPT = ("weak_floor", "strong_zero_shot", "iter2_hybrid_ft", "dpo")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of two seeds with thinking, and with a hostile response to question 3."""
    folder = tmp_path_factory.mktemp("run")
    kept = {key: ACCURACIES[key] for key in KEPT}
    make_run(folder, task="math", seeds=(0, 1), questions=120, asked=60, accuracies=kept)
    path = folder / "seed0/test/dpo/results.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["response"] = f"<think>\nLet me see {row['id']}.\n</think>\n{row['response']}"
    rows[3] |= {"response": f"<think>{HOSTILE}</think>{HOSTILE}", "pred": HOSTILE, "prompt": HOSTILE}
    rows[4] |= {"response": "", "pred": "", "result": False, "error": HOSTILE}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tests = folder / "golds/test.jsonl"
    questions = [json.loads(line) for line in tests.read_text().splitlines()]
    questions[3] |= {"question": HOSTILE, "solution": HOSTILE}
    tests.write_text("".join(json.dumps(row) + "\n" for row in questions))
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return report(folder).responses


@pytest.fixture
def opened(screen, page):
    """The page open in one width and mode."""
    return listed(screen, page)


def listed(screen, page, fragment=""):
    screen.open(page, fragment)
    screen.wait("performance.getEntriesByName('listed').length")
    return screen


def names(screen):
    return screen.asked("[...document.querySelectorAll('#list .name')].map(one => one.textContent)")


def status(screen):
    return screen.asked("document.getElementById('status').textContent")


def choose(screen, name, value):
    """Choose a value of a control as a user's choice does."""
    screen.run(
        "const control = document.forms[0].elements[arguments[0]]; control.value = arguments[1];"
        "control.dispatchEvent(new Event('input', {bubbles: true}))",
        name,
        value,
    )


def settled(screen, expected):
    screen.wait("document.getElementById('status').textContent === arguments[0]", expected)


def text_of(screen, selector):
    return screen.asked("document.querySelector(arguments[0]).innerText", selector)


def test_the_page_stands(opened, tmp_path):
    assert status(opened) == "120 of 120 questions"
    assert names(opened) == [str(number) for number in range(50)]
    opened.run("document.querySelectorAll('#list summary')[0].click()")
    opened.wait("document.querySelectorAll('.response').length === 4")
    opened.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    opened.wait("document.querySelectorAll('#list > li > details[open] .response').length === 200")
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert opened.asked(overflow) == 0, "the page is wider than the screen"
    assert opened.console() == []
    assert len(opened.screenshot("responses", tmp_path)) > 50_000
    ink, paper = (
        sum(map(int, opened.asked(f"getComputedStyle(document.body).{name}")[4:-1].split(",")))
        for name in ("color", "backgroundColor")
    )
    assert (ink < paper) == (opened.mode == "light")


def test_a_question_shows_what_the_results_hold(browser, folder, page):
    browser.show("desktop", "light")
    listed(browser, page, "#search=id:7")
    browser.wait("document.querySelectorAll('.response').length === 4")
    shown = browser.asked("[...document.querySelectorAll('.response')].map(one => one.innerText)")
    for text, key in zip(shown, KEPT, strict=True):
        path = folder / f"seed0/test/{key}/results.jsonl"
        row = json.loads(path.read_text().splitlines()[7])
        assert text.startswith(LABELS[key])
        assert f"Final answer: {row['pred']}" in text
        assert ("correct" if row["result"] else "wrong") in text.split("\n")[1]
        assert row["response"].split("</think>\n")[-1] in text
        assert "Let me see" not in text, "thinking is folded"
    browser.run("[...document.querySelectorAll('.response')].at(-1).querySelector('summary').click()")
    assert "Let me see 7." in text_of(browser, ".response:last-child")


def test_votes_and_pairs(browser, folder, page):
    browser.show("desktop", "light")
    [chosen, *_] = records.read_pairs(folder / "seed1/stage2/data/made_paired.json")
    listed(browser, page, f"#questions=both+stages+(training+data)&seed=1&search=id:{chosen['id']}")
    browser.wait("document.querySelector('.outcome')")
    assert text_of(browser, ".outcome").startswith("pair: the weak response is ")
    sides = browser.asked(
        "[...document.querySelectorAll('.outcome + .responses pre')].map(one => one.textContent)"
    )
    assert sides == chosen["output"]
    votes = browser.asked("[...document.querySelectorAll('summary')].map(one => one.textContent)")
    counts = [int(text.split(TIMES)[0]) for text in votes if TIMES in text]
    assert sum(counts) == 10
    choose(browser, "search", "")
    settled(browser, "60 of 60 questions")
    reason = "no pair: no confident majority"
    choose(browser, "group2", reason)
    browser.wait("document.getElementById('status').textContent !== '60 of 60 questions'")
    browser.run("document.querySelector('#list summary').click()")
    browser.wait("document.querySelector('.outcome')")
    assert text_of(browser, ".outcome") == reason


def test_search_and_filters(browser, folder, page):
    browser.show("desktop", "light")
    listed(browser, page)
    choose(browser, "search", "ANN HAS 1011 ")
    settled(browser, "1 of 120 questions")
    assert names(browser) == ["11"]
    choose(browser, "search", "let me see 77")
    settled(browser, "No question fits this search and these filters.")
    choose(browser, "where", "texts")
    settled(browser, "1 of 120 questions")
    assert names(browser) == ["77"]
    browser.run(
        "[...document.querySelectorAll('button')].find(one => one.textContent.startsWith('Clear')).click()"
    )
    settled(browser, "120 of 120 questions")
    results = {
        key: [
            json.loads(line)["result"]
            for line in (folder / f"seed0/test/{key}/results.jsonl").read_text().splitlines()
        ]
        for key in ("weak_floor", "dpo")
    }
    wanted = [not weak and strong for weak, strong in zip(*results.values(), strict=True)]
    choose(browser, "model1", "0")
    choose(browser, "verdict1", "!")
    choose(browser, "model2", "3")
    choose(browser, "verdict2", "c")
    settled(browser, f"{sum(wanted)} of 120 questions")
    assert names(browser) == [str(place) for place, fits in enumerate(wanted) if fits][:50]
    choose(browser, "group1", "3")
    level = [fits and 1 + place % 5 == 3 for place, fits in enumerate(wanted)]
    settled(browser, f"{sum(level)} of 120 questions")
    address = browser.asked("location.href")
    browser.open(page)
    browser.browser.get(address)
    settled(browser, f"{sum(level)} of 120 questions")
    assert browser.asked("document.getElementById('filters').open")
    choose(browser, "seed", "1")
    settled(browser, "120 of 120 questions")
    assert browser.console() == []


SLOW = (
    "const {head} = document; const append = head.append.bind(head);"
    "head.append = (script) => setTimeout(() => append(script), script.src.includes(arguments[0]) ? 1500 : 0)"
)
"""Lets the page get some of its files late."""


def test_the_last_of_quick_choices_counts(browser, page):
    browser.show("desktop", "light")
    listed(browser, page)
    browser.run(SLOW, "seed1_overview")
    choose(browser, "seed", "1")
    time.sleep(0.3)
    choose(browser, "seed", "0")
    time.sleep(0.3)
    choose(browser, "search", "id:7")
    settled(browser, "1 of 120 questions")
    time.sleep(2)
    assert (browser.asked("document.forms[0].elements.seed.value"), names(browser)) == ("0", ["7"])
    choose(browser, "search", "")
    choose(browser, "questions", "both stages (training data)")
    settled(browser, "60 of 60 questions")
    assert browser.console() == []


def test_what_is_typed_while_questions_are_loaded_is_kept(browser, page):
    browser.show("desktop", "light")
    listed(browser, page)
    browser.run(SLOW, "stages_seed0_overview")
    choose(browser, "questions", "both stages (training data)")
    time.sleep(0.3)
    choose(browser, "search", "id:11")
    settled(browser, "1 of 60 questions")
    assert browser.asked("document.forms[0].elements.search.value") == "id:11"
    assert names(browser) == ["11"]


def test_every_model_and_any_model(browser, page):
    browser.show("desktop", "light")
    listed(browser, page)
    counts = {}
    for model in ("", "*"):
        for verdict in ("c", "!"):
            choose(browser, "model1", model)
            choose(browser, "verdict1", verdict)
            time.sleep(0.3)
            counts[model, verdict] = int(status(browser).split()[0])
    assert counts["", "c"] + counts["*", "!"] == 120
    assert counts["", "!"] + counts["*", "c"] == 120


def test_hostile_text_is_shown_as_text(browser, page):
    browser.show("phone", "light")
    listed(browser, page, "#search=id:3")
    browser.wait("document.querySelectorAll('.response').length === 4")
    browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    texts = browser.asked(
        "JSON.stringify([...document.querySelectorAll('#list pre')].map(one => one.textContent))"
    )
    assert json.loads(texts).count(HOSTILE) == 5, "question, solution, prompt, thinking and answer"
    assert browser.asked("document.querySelectorAll('#list img, #list script').length") == 0
    assert "hacked" not in browser.asked("document.title")
    listed(browser, page, "#search=id:4")
    browser.wait("document.querySelectorAll('.response').length === 4")
    refused = "The engine refused the request:"
    assert browser.asked(
        "document.querySelector('.response:last-child').innerText.includes(arguments[0])", refused
    )
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.asked(overflow) == 0
    assert browser.console() == []


def test_the_policy_of_the_page_stops_what_is_not_its_own(browser, page):
    """An element that a fault let in could neither run nor load anything."""
    browser.show("desktop", "light")
    listed(browser, page)
    browser.run(
        "const inline = document.createElement('script'); inline.textContent = 'document.title = \"hacked\"';"
        "document.head.append(inline);"
        "const other = document.createElement('script'); other.src = 'data:text/javascript,document.title=\"hacked\"';"
        "document.head.append(other); const image = new Image(); image.src = 'http://127.0.0.1:9/x.png';"
        "document.body.append(image)"
    )
    time.sleep(0.5)
    assert "hacked" not in browser.asked("document.title")
    refused = [message for message in browser.console() if "Content Security Policy" in message]
    assert len(refused) == 3


def test_by_keyboard_alone(opened):
    """Tab reaches every control; Enter and Space open; arrow keys choose; the focus is always visible."""
    wanted, reached, unseen = opened.tabbed("a[href], summary, input, select, button:not(:disabled)")
    assert reached == wanted > 55
    assert unseen == []
    opened.shift_tab()  # away from the last button, "Next", and back
    opened.keys("TAB", "ENTER")
    assert opened.asked("document.activeElement.querySelector('.name').textContent") == "50"
    opened.keys("ENTER")
    opened.wait("document.querySelectorAll('.response').length === 4")
    opened.keys("TAB", "SPACE")
    assert opened.asked("document.querySelector('#list details details').open")
    opened.run("document.querySelector('#filters summary').focus()")
    opened.keys("ENTER", "TAB")
    assert opened.asked("document.activeElement.name") == "model1"
    opened.keys("TAB", "ARROW_DOWN", "ARROW_DOWN")
    opened.wait("document.forms[0].elements.verdict1.value === 'c'")
    opened.wait("document.getElementById('status').textContent !== '120 of 120 questions'")
    opened.run("document.forms[0].elements.search.focus()")
    opened.keys(*"id:9")
    opened.wait("location.hash.includes('id%3A9')")
    opened.keys("TAB", "TAB", "TAB")
    opened.run("document.forms[0].elements.questions.focus()")
    opened.keys("ARROW_DOWN")
    opened.wait("document.forms[0].elements.group2")
    assert opened.asked("document.activeElement.name") == "questions"


def test_axe_finds_no_serious_fault(opened):
    opened.run("document.getElementById('filters').open = true")
    opened.run("document.querySelectorAll('#list summary')[0].click()")
    opened.wait("document.querySelectorAll('.response').length === 4")
    opened.run("document.querySelectorAll('details details').forEach(one => one.open = true)")
    assert opened.faults() == []
    choose(opened, "questions", "both stages (training data)")
    opened.wait("document.forms[0].elements.group2")
    opened.run("document.querySelectorAll('#list summary')[0].click()")
    opened.wait("document.querySelector('.outcome')")
    opened.run("document.querySelectorAll('details details').forEach(one => one.open = true)")
    assert opened.faults() == []


def test_a_missing_file_is_named(browser, folder, page, tmp_path):
    browser.show("desktop", "light")
    for path in page.parent.iterdir():
        if "_texts_" not in path.name:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    listed(browser, tmp_path / "index.html", "#search=id:1")
    browser.wait("document.querySelector('#list .inside').textContent.includes('cannot be read')")
    assert "models_seed0_texts_1.js" in text_of(browser, "#list .inside")


QUESTIONS, MODELS = 1500, 10


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A run of 1,500 questions and ten models, with responses of about 1,500 characters."""
    folder = tmp_path_factory.mktemp("large")
    generator = random.Random(0)
    asked = golds(QUESTIONS, "TEST")
    (folder / "golds").mkdir()
    records.write(folder / "golds/test.jsonl", asked)
    models = []
    for number in range(MODELS):
        path = folder / f"model{number}/results.jsonl"
        path.parent.mkdir()
        rows = [
            {
                "id": place,
                "prompt": f"Question: {gold['question']}\nAnswer:",
                "response": " ".join(generator.choices(string.ascii_letters, k=750)),
                "pred": gold["answer"] if generator.random() < 0.6 else "0",
                "gold": gold["answer"],
                "result": generator.random() < 0.6,
            }
            for place, gold in enumerate(asked)
        ]
        records.write(path, rows)
        label, where = f"Model number {number}", f"model{number}/results.jsonl"
        models.append({"key": f"m{number}", "label": label, "stage": "baseline", "seed": 0, "results": where})
    contents = {
        "name": "large",
        "task": "gsm8k",
        "weak_name": "w",
        "weak_model": "w",
        "strong_model": "s",
        "split": "test",
        "golds": "golds/test.jsonl",
        "train_golds": None,
        "seeds": [0],
        "min_confidence": None,
        "negative_confidence": None,
        "notes": [],
        "models": models,
        "stage1": [],
        "stage2": [],
        "jobs": [],
    }
    (folder / "contents.json").write_text(json.dumps(contents))
    return report(folder).responses


def test_1500_questions_of_10_models_open_in_under_two_seconds(browser, large, capsys):
    """The time from the start of loading until the list is shown; the best of five on a shared machine."""
    browser.show("desktop", "light")
    times = []
    for _ in range(5):
        listed(browser, large)
        times.append(browser.asked("performance.getEntriesByName('listed')[0].startTime") / 1000)
        assert status(browser) == "1,500 of 1,500 questions"
    assert browser.asked("[...document.querySelector('#list .marks').children].length") == MODELS
    data = sum(path.stat().st_size for path in large.parent.glob("*.js"))
    with capsys.disabled():
        print(
            f"\n{QUESTIONS} questions x {MODELS} models ({data / 1e6:.0f} MB): open in {min(times):.2f} s "
            f"(of {', '.join(f'{one:.2f}' for one in times)})"
        )
    assert data > 20e6
    assert min(times) < 2
    began = time.monotonic()
    browser.run("document.querySelectorAll('#list summary')[40].click()")
    browser.wait(f"document.querySelectorAll('.response').length === {MODELS}")
    assert time.monotonic() - began < 10
