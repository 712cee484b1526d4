"""The page in a real headless browser: phone and desktop, light and dark; looked at by screenshots, too.

Screenshots go to the folder W2S_SCREENSHOTS names, else to a temporary one.
"""

from __future__ import annotations

import json
import shlex

import pytest

from tests.experiment.made_runs import make_run
from w2s_factory import records, report

pytestmark = pytest.mark.browser

FIGURES = 11
ODD = [
    "w2s-factory",
    "score",
    "it's",
    'a "b"',
    "two  spaces",
    "line\nbreak",
    "$HOME;*",
    "\u00adsoft\u2026",
    "",
]
"""A command that must be quoted."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    make_run(folder, task="math", questions=120, asked=80)
    return folder


@pytest.fixture(scope="module")
def page(folder):
    (folder / "odd.json").write_text("[]")
    records.note([folder / "odd.json"])
    manifest = folder / "manifest.jsonl"
    line = json.loads(manifest.read_text().splitlines()[-1]) | {"command": ODD}
    manifest.write_text(json.dumps(line) + "\n")
    return report(folder).page


@pytest.fixture
def opened(screen, page):
    """The page open in one width and mode."""
    screen.open(page)
    return screen


def unfold(screen):
    screen.run("document.querySelectorAll('details').forEach(one => one.open = true)")


def test_the_page_stands(opened, tmp_path):
    assert len(opened.screenshot("report", tmp_path)) > 50_000
    assert opened.console() == []
    unfold(opened)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert opened.asked(overflow) == 0, "the page is wider than the screen"
    boxes = opened.asked(
        "[...document.querySelectorAll('figure svg')].map(one => one.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) == FIGURES
    for box in boxes:
        assert box["width"] > 250
        assert box["height"] > 100
        assert box["right"] <= opened.width


def test_figures_follow_the_mode(opened):
    first = "document.querySelector('#figure-accuracy svg text')"
    ink = opened.asked(f"getComputedStyle({first}).fill")
    paper = opened.asked("getComputedStyle(document.body).backgroundColor")
    light = [sum(map(int, colour[4:-1].split(","))) > 380 for colour in (ink, paper)]
    assert light == ([False, True] if opened.mode == "light" else [True, False])


def test_text_in_figures_can_be_read(opened):
    """The least height of a line of text, as shown."""
    heights = opened.asked(
        "[...document.querySelectorAll('figure svg text')].map(one => {"
        "  const scale = one.getScreenCTM();"
        "  return parseFloat(getComputedStyle(one).fontSize) * Math.hypot(scale.a, scale.b) })"
    )
    assert len(heights) > 50
    assert min(heights) > 8.5


def test_svg_files_show_alone(browser, page):
    for path in sorted(page.with_suffix("").glob("*.svg")):
        browser.open(path)
        assert browser.console() == []
        assert browser.asked("document.documentElement.nodeName") == "svg", path.name
        assert browser.asked("document.querySelectorAll('text').length") > 2, path.name


OVERLAPS = """
const inside = (box, x, y) => x > box.left + 1 && x < box.right - 1 && y > box.top + 1 && y < box.bottom - 1;
const meet = (one, two) => one.left + 1 < two.right && two.left + 1 < one.right
    && one.top + 1 < two.bottom && two.top + 1 < one.bottom;
const found = [];
let marks = 0, labels = 0;
for (const svg of document.querySelectorAll('figure svg')) {
  const texts = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
  labels += texts.length;
  const shapes = [...svg.querySelectorAll('path, use')].filter(shape => {
    if (shape.closest('defs, clipPath, [id*="matplotlib.axis"]')) return false;
    const look = getComputedStyle(shape);
    const isPatch = shape.closest('[id*="-patch_"]') !== null;
    return !(isPatch && look.fill === 'none');  // the background and the frame of a plot
  });
  for (const shape of shapes) {
    marks += 1;
    const matrix = shape.getScreenCTM();
    const filled = shape.tagName === 'use' || getComputedStyle(shape).fill !== 'none';
    const points = [];
    if (!filled) {
      const length = shape.getTotalLength();
      for (let at = 0; at <= length; at += 1) {
        const point = shape.getPointAtLength(at).matrixTransform(matrix);
        points.push(point);
      }
    }
    const own = shape.getBoundingClientRect();
    for (const [text, box] of texts) {
      if (filled ? meet(own, box) : points.some(({x, y}) => inside(box, x, y))) {
        found.push(`${svg.closest('figure').id}: "${text}" and ${shape.parentNode.id || shape.parentNode.parentNode.id}`);
      }
    }
  }
  texts.forEach(([text, box], place) => texts.slice(place + 1).forEach(([other, its]) => {
    if (meet(box, its)) found.push(`${svg.closest('figure').id}: "${text}" and "${other}"`);
  }));
}
return {found: [...new Set(found)], marks, labels};
"""


def test_labels_of_figures_overlap_neither_marks_nor_each_other(opened):
    seen = opened.run(OVERLAPS)
    assert seen["marks"] > 300
    assert seen["labels"] > 100
    assert seen["found"] == []


def test_overlaps_would_be_seen(browser, page):
    """The check above finds a label that is moved onto the marks, and a mark that is drawn over a label."""
    browser.show("desktop", "light")
    browser.open(page)
    browser.run(
        "const figure = document.querySelector('#figure-times svg');"
        "[...figure.querySelectorAll('text')].at(-1).setAttribute('transform', 'translate(-150 0)')"
    )
    assert any("figure-times" in one for one in browser.run(OVERLAPS)["found"])


def test_no_column_of_a_table_is_empty(opened):
    unfold(opened)
    empty = opened.run(
        """
        const empty = [];
        for (const table of document.querySelectorAll('table')) {
          const rows = [...table.tBodies[0].rows].filter(row => !row.classList.contains('group'));
          rows[0].querySelectorAll('th, td').forEach((_, place) => {
            if (rows.every(row => !row.cells[place].innerText.trim()))
              empty.push(`${table.closest('section').id} ${place}`);
          });
        }
        return empty;
        """
    )
    assert empty == []


def test_the_verdict_of_a_comparison_is_visible_without_scrolling(opened):
    boxes = opened.asked(
        "[...document.querySelectorAll('#comparisons .badge')].map(one => one.getBoundingClientRect().toJSON())"
    )
    frame = opened.asked("document.querySelector('#comparisons .scroll').getBoundingClientRect().toJSON()")
    assert len(boxes) > 10
    for box in boxes:
        assert box["width"] > 20
        assert frame["left"] <= box["left"]
        assert box["right"] <= frame["right"] <= opened.width


def test_commands_can_be_pasted(browser, folder, page):
    """The text that a reader copies is the command, as a shell reads it."""
    browser.show("desktop", "light")
    browser.open(page)
    unfold(browser)
    copied = browser.run(
        """
        const copied = {};
        for (const row of document.querySelectorAll('#provenance table')[0].tBodies[0].rows) {
          getSelection().selectAllChildren(row.querySelector('.command'));
          copied[row.cells[0].innerText] = getSelection().toString();
        }
        return copied;
        """
    )
    assert shlex.split(copied.pop("odd.json")) == ODD
    lines = [path for path in folder.rglob("manifest.jsonl") if path.parent != folder]
    noted = {
        str(path.parent.relative_to(folder) / line["file"]): line["command"]
        for path in lines
        for line in map(json.loads, path.read_text().splitlines())
        if "report_of" not in line
    }
    assert {name: shlex.split(text) for name, text in copied.items()} == noted
    assert len(noted) > 20


def test_the_keyboard_reaches_everything(opened):
    """Every link, fold and table that scrolls has the focus in turn, and the focus is visible."""
    wanted, reached, unseen = opened.tabbed('a[href], summary, [tabindex="0"]')
    assert reached == wanted > 30
    assert unseen == []
    opened.run("document.querySelector('#provenance summary').focus()")
    opened.keys("ENTER")
    assert opened.asked("document.querySelector('#provenance details').open")
    opened.keys("SPACE")
    assert not opened.asked("document.querySelector('#provenance details').open")


def test_axe_finds_no_serious_fault(opened):
    unfold(opened)
    assert opened.faults() == []


def test_the_report_leads_to_the_responses(browser, page):
    browser.show("phone", "light")
    browser.open(page)
    link = "document.querySelector('#changes details a')"
    browser.run(f"document.querySelector('#changes details').open = true; {link}.focus()")
    name = browser.asked(f"{link}.href").rpartition("id:")[2]
    browser.keys("ENTER")
    browser.wait("location.pathname.endsWith('report_responses/index.html')")
    browser.wait("document.querySelectorAll('#list details[open] .response').length")
    assert browser.asked("document.querySelector('#list .name').textContent") == name
    assert browser.asked("document.querySelectorAll('#list > li').length") == 1
