"""Every file of a tree in the release's forms gets its class, and a changed byte is found wherever it is."""

from __future__ import annotations

import json
import random
import shutil

import pytest
from invented_release import make_release

from w2s_factory import release
from w2s_factory.errors import UserError
from w2s_factory.release import Checked, Verification, verify, verify_release, write_page
from w2s_factory.release.published_files import FILES
from w2s_factory.release.rebuilt_training_sets import published_index
from w2s_factory.release.verify import check_file

SFT = "data/llama_factory"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A whole tree of invented rows, and what is published of it."""
    root = tmp_path_factory.mktemp("release")
    return root, make_release(root)


@pytest.fixture
def copy(published, tmp_path):
    """A copy to be changed."""
    root = tmp_path / "copy"
    shutil.copytree(published[0], root)
    return root


def check(root, published):
    found = verify_release(root, workers=2, files=published[1])
    return found, {one.name: one for one in found.files}


def test_a_whole_tree(published, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "/nowhere")
    found, files = check(published[0], published)
    assert found.counts.keys() == {"reproduced", "reproduced except", "not reproducible"}
    except_for = {
        name: one.kept[0].split()[0] for name, one in files.items() if one.kind == "reproduced except"
    }
    results = {name: "num_tokens" for name in files if name.endswith("results.jsonl")}
    pairs = {name: "id" for name in files if name.endswith("_paired.json")}
    raw = {f"data/raw/gsm8k/train_{half}.jsonl": "question" for half in (1, 2)}
    assert except_for == results | pairs | raw
    assert {name for name, one in files.items() if one.kind == "not reproducible"} == {
        "data/raw/math/train_1.jsonl",
        "olympic_outputs/llama3-8b-instruct/test/output.jsonl",
        "olympic_outputs/llama3-8b-instruct/test/result.json",
    }
    assert all(one.reason for one in files.values() if one.kind == "not reproducible")


def test_the_index_is_the_published_one():
    path = f"{SFT}/dataset_info.json"
    text = json.dumps(published_index(), indent=2) + "\n"
    assert len(text) == FILES[path].size


def flip(path, seed):
    content = bytearray(path.read_bytes())
    content[random.Random(seed).randrange(len(content))] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("path", FILES)
def test_a_flipped_byte(published, copy, path):
    """It is found in each of the files, and said to be there."""
    flip(copy / path, path)
    one = check_file(copy, published[1][path], frozenset(FILES) - {path})
    assert one.kind == "different"
    assert one.difference.startswith("git hash ")


def test_flipped_bytes_are_found_where_they_are_and_nowhere_else(published, copy):
    changed = set(random.Random(7).sample(list(FILES), 12))
    for path in changed:
        flip(copy / path, path)
    found, files = check(copy, published)
    assert {name for name, one in files.items() if one.kind == "different"} == changed
    assert not found.ok


def test_the_first_difference_is_shown(published, copy):
    path = copy / f"{SFT}/math/train_math_llama2_7b_full_weak.json"
    path.write_text(path.read_text().replace("thinks of 7", "thinks of 8"))
    one = check(copy, published)[1][f"{SFT}/math/train_math_llama2_7b_full_weak.json"]
    assert 'row 8 (id 7): field "output"' in one.difference
    assert "thinks of 8" in one.difference
    assert "thinks of 7" in one.difference


def test_line_ends_changed_by_git_are_named(published, copy):
    path = copy / "data/test/math.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert "CRLF" in check(copy, published)[1]["data/test/math.jsonl"].difference


def test_what_depends_on_a_changed_file_is_not_checked(published, copy):
    path = "outputs/math_train_2/zero_shot/gemma_2b_math_1/zero-shot/direct/results.jsonl"
    (copy / path).write_text("{}\n")
    files = check(copy, published)[1]
    full_weak = files[f"{SFT}/math/train_math_gemma_2b_full_weak.json"]
    assert full_weak.kind == "not checked"
    assert "not as published" in full_weak.reason


def test_a_part_will_do(published, copy):
    shutil.rmtree(copy / "outputs")
    found, files = check(copy, published)
    assert "different" not in found.counts
    assert files[f"{SFT}/math/train_math_gemma_2b_full_weak.json"].kind == "not checked"
    assert found.counts["absent"] == 6


@pytest.mark.parametrize(
    ("suffix", "without"), [("_wo_aug", "hybrid_wo_aug"), ("", "icl_wo_aug"), ("", "hybrid_wo_aug")]
)
def test_padded_sets_and_their_parts(published, copy, suffix, without):
    (copy / f"{SFT}/math/train_math_mistral_7b_iter1_{without}.json").unlink()
    files = check(copy, published)[1]
    for side in ("weak", "icl"):
        name = f"{SFT}/math/train_math_mistral_7b_iter1_{side}{suffix}.json"
        assert files[name].kind == ("absent" if name.endswith(f"{without}.json") else "reproduced")


def test_code_that_makes_other_bytes_is_a_difference(published, monkeypatch):
    """Not the tree but this code at fault: the check does not trust the hash alone."""
    from w2s_factory.release import rebuild_recipes, verify

    def broken(path):
        recipe = rebuild_recipes.recipe_of(path)
        way = recipe.ways[0]
        return rebuild_recipes.PublishedRecipe(
            (rebuild_recipes.Way(way.sources, lambda out, *_: out.write_text("[]"), way.kept),)
        )

    monkeypatch.setattr(verify, "recipe_of", broken)
    root, files = published
    path = f"{SFT}/gsm8k/gsm8k_train_1.json"
    one = verify.check_file(root, files[path], frozenset(files))
    assert one.kind == "different"
    assert one.difference.startswith("this code makes another: row 1")


def test_a_folder_without_the_release(tmp_path):
    with pytest.raises(UserError, match="holds none of the release's data files"):
        verify_release(tmp_path)


def test_the_page_needs_nothing_else(published, tmp_path):
    write_page(tmp_path / "page.html", verify_release(published[0], workers=1, files=published[1]))
    text = (tmp_path / "page.html").read_text()
    assert text.startswith("<!doctype html>")
    assert all(path in text for path in FILES)
    assert not any(link in text for link in ("http:", "https:", "src=", "href="))


def test_the_command_on_a_tree_that_differs(copy, w2s):
    """Invented rows are not the published ones: every file is named, and the exit code says so."""
    done = w2s("verify-release", copy, "--json", code=1)
    found = json.loads(done.stdout)
    kinds = {one["path"]: one["class"] for one in found["files"]}
    assert kinds.pop(f"{SFT}/dataset_info.json") == "reproduced"
    assert kinds.keys() | {f"{SFT}/dataset_info.json"} == FILES.keys()
    assert set(kinds.values()) == {"different"}


@pytest.mark.parametrize(
    ("name", "fetched"),
    [("new place", "'new place'"), (".", "/here_release"), ("full", "/here/full_release")],
)
def test_the_fetch_it_names_goes_into_a_new_folder(tmp_path, monkeypatch, name, fetched):
    (tmp_path / "here/full").mkdir(parents=True)
    (tmp_path / "here/full/mine.txt").write_text("")
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UserError) as raised:
        verify_release(name)
    assert str(raised.value).endswith(f"Fetch it: w2s-factory fetch release --output-dir {fetched}") or (
        fetched.startswith("/") and str(raised.value).endswith(fetched)
    )


@pytest.mark.parametrize("there", [True, False])
def test_token_counts_that_are_not_made_again_are_noted(copy, w2s, monkeypatch, there):
    """Only the lack of the package is noted; its vocabulary is not downloaded."""
    weak = "data/full_weak/gsm8k.json"
    kept = Checked(
        weak, "reproduced except", kept=("num_tokens (tiktoken has no cl100k vocabulary at hand)",)
    )
    monkeypatch.setattr(release, "verify_release", lambda _: Verification(copy, "commit", [kept], []))
    monkeypatch.setattr(verify, "find_spec", lambda name: name if there else None)
    done = w2s("verify-release", copy)
    note = "Note: num_tokens was not counted again, since the package tiktoken is not installed. Install the extra"
    assert done.stderr.startswith(note) is not there
    assert note not in done.stdout
