"""Settings of chat, sampling, extraction and avg@k: the planned commands, and mistakes in the file."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from tests.experiment.conftest import SMALL
from w2s_factory.errors import UserError
from w2s_factory.experiment.answer_settings import GenerationSection
from w2s_factory.experiment.load import read_experiment
from w2s_factory.experiment.plan import plan
from w2s_factory.experiment.spec import Experiment

CHAT = {
    "weak": {**SMALL["weak"], "train": {"preset": "tiny_lora_sft", "overrides": {"template": "qwen3"}}},
    "strong": {**SMALL["strong"], "overrides": {"template": "qwen3"}},
}


def words(planned, name):
    """The commands of a step of repetition 0, as lists of words."""
    step = next(step for step in planned.steps if step.name == f"seed0/{name}")
    return [list(command) for command in step.commands]


def option(command, name):
    """The value of an option; None if the command lacks it."""
    return command[command.index(name) + 1] if name in command else None


def generations(planned):
    return [list(command) for step in planned.steps if step.kind == "generate" for command in step.commands]


@pytest.mark.parametrize("generation", [{}, {"chat": "off"}, {"sampling": {"temperature": 0}}])
def test_settings_at_their_defaults_change_no_command(planned, generation):
    changed = planned(
        generation=generation, scoring={"mode": "published"}, train_on="whole", evaluation={"avg_at": False}
    )
    assert [step.commands for step in changed.steps] == [step.commands for step in planned().steps]
    assert changed.contents.model_dump_json() == planned().contents.model_dump_json()


def test_chat_follows_the_training_template(planned):
    assert not any("--chat" in command for command in generations(planned()))
    assert all(option(command, "--chat") == "on" for command in generations(planned(**CHAT)))
    off = planned(**CHAT, generation={"chat": False})  # YAML reads a bare off as false
    assert not any("--chat" in command for command in generations(off))


def test_a_weak_model_used_as_it_is_is_asked_as_the_strong_one_is_trained(planned):
    weak = {"name": "w", "model": "some/weak"}
    assert option(words(planned(weak=weak, strong=CHAT["strong"]), "generate_weak_test")[0], "--chat") == "on"
    assert "--chat" not in words(planned(weak=weak), "generate_weak_test")[0]


def test_single_keys_differ_for_one_model(planned):
    weak = {**CHAT["weak"], "generation": {"thinking": "off", "sampling": {"temperature": 0.3}}}
    generation = {"thinking": "on", "system": "Be brief.", "sampling": {"temperature": 0.6, "top_p": 0.95}}
    both = planned(weak=weak, strong=CHAT["strong"], generation=generation)
    [weak_asked], [strong_asked] = words(both, "generate_weak_test"), words(both, "generate_strong_test")
    assert [option(weak_asked, name) for name in ("--thinking", "--temperature", "--top-p", "--system")] == [
        "off", "0.3", "0.95", "Be brief.",
    ]  # fmt: skip
    assert [option(strong_asked, name) for name in ("--thinking", "--temperature")] == ["on", "0.6"]
    trained = words(both, "train_iter1_hybrid")[0]
    assert option(trained, "--thinking") == "on"
    assert option(words(both, "train_weak")[0], "--thinking") == "off"


def test_training_data_has_the_form_in_which_its_model_is_asked(planned):
    mixed = planned(strong=CHAT["strong"], generation={"system": "Be brief."}, stage2={})
    for name in ("gold_train_2", "full_weak", "stage1_iter1", "pairs"):
        assert [option(words(mixed, name)[0], key) for key in ("--chat", "--system")] == ["on", "Be brief."]
    assert (
        option(words(mixed, "gold_train_1")[0], "--chat") == "off"
    )  # the weak model is trained with vanilla
    assert "--chat" not in words(planned(), "gold_train_1")[0]


def test_an_empty_system_prompt_is_passed_on(planned):
    none = planned(strong=CHAT["strong"], generation={"system": ""})
    for name in ("gold_train_2", "full_weak", "stage1_iter1", "generate_strong_test"):
        assert option(words(none, name)[0], "--system") == ""


def test_training_on_answers_turns_thinking_off_for_what_is_trained(planned):
    weak = {"name": "w", "model": "some/weak"}
    answers = planned(
        weak=weak, strong=CHAT["strong"], train_on="answer", generation={"thinking": "on"}, stage2={}
    )
    for name in ("full_weak", "stage1_iter1", "pairs"):
        assert option(words(answers, name)[0], "--train-on") == "answer"
    assert option(words(answers, "train_iter1_hybrid")[0], "--thinking") == "off"
    asked = {name: option(words(answers, f"generate_{name}")[0], "--thinking")
             for name in ("weak_train_2", "strong_test", "iter1_hybrid_test")}  # fmt: skip
    assert asked == {"weak_train_2": "on", "strong_test": "on", "iter1_hybrid_test": "off"}


def test_one_way_of_extraction_serves_scores_votes_and_pairs(planned):
    found = planned(
        scoring={"extract": "auto", "mode": "symbolic"}, reasoning={"start": "<t>", "end": "</t>"}, stage2={}
    )
    for name in ("score_weak_test", "stage1_iter1", "vote", "pairs"):
        for command in words(found, name):
            assert [option(command, key) for key in ("--extract", "--mode")] == ["auto", "symbolic"]
            # later commands read the texts around thinking from the manifest next to the results
            texts = ["<t>", "</t>"] if command[1] == "score" else [None, None]
            assert [option(command, key) for key in ("--reasoning-start", "--reasoning-end")] == texts
    assert found.contents.reasoning == ("<t>", "</t>")
    assert len(words(found, "score_strong_test")) == 1  # "any format" is for answers that need a key


def test_demonstrations_have_answers_that_are_found_in_the_same_way(planned):
    settings = {"scoring": {"extract": "auto"}, "reasoning": {"start": "<t>", "end": "</t>"}}
    assert option(words(planned(**settings), "demonstrations")[0], "--extract") == "auto"
    named = words(planned(**settings, demonstrations={"ids": [1, 2]}), "demonstrations")[0]
    assert option(named, "--extract") is None


def test_only_a_model_that_is_asked_to_think_must_have_the_texts_around_thinking(planned):
    settings = {"reasoning": {"start": "<t>", "end": "</t>"}, "strong": CHAT["strong"], "train_on": "answer"}
    published = {"name": "w", "results": "/p/results.jsonl", "test_results": "/p/test.jsonl"}
    as_it_is = {"name": "w", "model": "some/weak"}
    for weak, thinking, needed in (
        (published, "on", {"strong_test"}),
        (as_it_is, "on", {"weak_test", "weak_train_2", "strong_test"}),
        (as_it_is, None, set()),
    ):
        mixed = planned(**settings, weak=weak, generation={"thinking": thinking} if thinking else {})
        names = ["weak_test", "weak_train_2", "strong_test", "full_weak_test", "iter1_hybrid_test"]
        scores = {name: words(mixed, f"score_{name}")[-1] for name in names}
        assert {name for name in names if "--reasoning-optional" not in scores[name]} == needed
        assert all(option(command, "--reasoning-start") == "<t>" for command in scores.values())


def test_published_results_are_scored_in_the_same_way(planned):
    found = planned(weak={"name": "w", "results": "/p/results.jsonl"}, scoring={"extract": "boxed"})
    assert option(words(found, "score_weak_train_2")[0], "--extract") == "boxed"


def test_answers_are_drawn_once_with_the_seed_of_the_repetition(planned):
    drawn = planned(generation={"sampling": {"temperature": 0.6, "top_k": 20}}, seeds=[0, 2])
    [asked] = words(drawn, "generate_weak_train_2")
    given = [option(asked, name) for name in ("--samples", "--first-seed", "--temperature", "--top-k")]
    assert given == ["1", "0", "0.6", "20"]
    assert "/t0.6/seed0/results.jsonl" in shlex.join(words(drawn, "stage1_iter1")[0])
    later = next(step for step in drawn.steps if step.name == "seed2/generate_weak_train_2")
    assert option(list(later.commands[0]), "--first-seed") == "2"
    assert later.writes[0].endswith("direct/t0.6/seed2/output.jsonl")


def test_avg_at_k_draws_the_samples_of_one_temperature_once(planned):
    evaluation = {"avg_at": {"k": 4}, "pass_at": {"k": 8, "temperature": 0.6, "models": ["weak_floor"]}}
    drawn = planned(generation={"sampling": {"temperature": 0.6}}, evaluation=evaluation)
    [asked] = words(drawn, "generate_weak_test_samples")
    assert option(asked, "--samples") == "8"
    floor = next(model for model in drawn.contents.models if model.key == "weak_floor")
    assert floor.samples == floor.averaged
    assert floor.results == floor.averaged / "seed0/results.jsonl"
    assert drawn.contents.avg_at == 4
    assert not [step for step in drawn.steps if step.name == "seed0/generate_weak_test"]
    written = [file for step in drawn.steps for file in step.writes]
    assert len(set(written)) == len(written)


def test_avg_at_k_has_a_temperature_of_its_own(planned):
    drawn = planned(evaluation={"avg_at": {"k": 3, "temperature": 0.7}, "pass_at": {"k": 5}})
    floor = next(model for model in drawn.contents.models if model.key == "weak_floor")
    assert (floor.samples.name, floor.averaged.name) == ("t1.0", "t0.7")
    assert floor.results.parent.name == "direct"  # greedy
    assert option(words(drawn, "generate_weak_test_samples_t0.7")[0], "--samples") == "3"
    with pytest.raises(UserError, match="greedy samples of weak_floor are all the same"):
        planned(evaluation={"avg_at": {"k": 3}})


def test_zero_shot_answers_that_are_samples_are_scored_in_any_format(planned):
    drawn = planned(generation={"sampling": {"temperature": 0.6}}, evaluation={"avg_at": {"k": 2}})
    zero_shot = next(model for model in drawn.contents.models if model.key == "strong_zero_shot")
    assert zero_shot.any_format == zero_shot.results.with_name("results_any.jsonl")
    written = [file for step in drawn.steps for file in step.writes]
    assert [str(zero_shot.any_format)] == [file for file in written if "results_any" in file]


def test_a_stage_2_training_takes_the_strong_models_template(planned):
    methods = {"dpo": {}, "orpo": {}, "sft_chosen": {}}
    both = planned(**CHAT, stage2={"methods": methods})
    dpo, orpo = words(both, "train_dpo")[0], words(both, "train_orpo")[0]
    assert option(dpo, "--preset") == "chat_dpo"
    assert option(orpo, "--preset") == "orpo"
    assert all("template=qwen3" in command for command in (dpo, orpo, words(both, "train_sft_chosen")[0]))
    named = planned(**CHAT, stage2={"methods": {"dpo": {"preset": "dpo"}}})
    assert "template=qwen3" not in words(named, "train_dpo")[0]  # as named: the file's own business


@pytest.mark.parametrize("template", ["empty", "fewshot"])
def test_a_stage_2_training_takes_a_template_without_a_chat_too(planned, template):
    strong = {**SMALL["strong"], "overrides": {"template": template}}
    found = planned(strong=strong, stage2={"methods": {"dpo": {}}})
    dpo = words(found, "train_dpo")[0]
    assert option(dpo, "--preset") == "dpo"
    assert f"template={template}" in dpo
    assert not any("--chat" in command for command in generations(found))


def test_stops_and_failures_reach_generate(planned):
    [asked] = words(planned(generation={"stop": ["\n\n", "END"], "max_failures": 0.05}), "generate_weak_test")
    assert [asked[n + 1] for n, word in enumerate(asked) if word == "--stop"] == ["\n\n", "END"]
    assert option(asked, "--max-failures") == "0.05"
    weak = {**SMALL["weak"], "generation": {"no_stop": True}}
    [asked] = words(planned(weak=weak, generation={"stop": ["END"]}), "generate_weak_test")
    assert "--no-stop" in asked
    assert "--stop" not in asked


def test_the_report_says_how_models_were_asked(planned):
    found = planned(**CHAT, generation={"thinking": "on"}, scoring={"extract": "auto"}, train_on="answer")
    assert found.contents.answering == {
        "Chat, weak model": "the model's own chat template; thinking on",
        "Chat, strong model": "the model's own chat template; thinking on",
        "Final answers": "extracted by auto",
        "Trained on": "the answer alone, without thinking",
    }


def test_a_template_file_is_found_next_to_the_experiment(written, tmp_path):
    (tmp_path / "own.jinja").write_text("{{ messages }}")
    found = read_experiment(written(generation={"chat": "own.jinja"}))
    step = next(step for step in plan(found).steps if step.name == "seed0/generate_weak_test")
    assert option(list(step.commands[0]), "--chat") == str(tmp_path / "own.jinja")
    assert str(tmp_path / "own.jinja") in step.reads  # an edit repeats the generation
    with pytest.raises(UserError, match=r"generation.chat.*which is not a file"):
        read_experiment(written(generation={"chat": "other.jinja"}))


@pytest.mark.parametrize("form", ["model", {"defaults": "model", "top_k": 5}])
def test_the_sampling_of_a_models_authors_is_written_out(written, tmp_path, form):
    for name, values in (("weak", {"temperature": 0.7}), ("strong", {"do_sample": False, "top_k": 9})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "generation_config.json").write_text(json.dumps(values))
    models = {name: {**SMALL[name], "model": f"./{name}"} for name in ("weak", "strong")}
    path = written(**models, generation={"sampling": form})
    found = read_experiment(path)
    assert found.answering("weak").sampling.temperature == 0.7
    strong = found.answering("strong").sampling
    assert (strong.temperature, strong.top_k) == (0.0, 9 if form == "model" else 5)
    again = Experiment.model_validate(yaml.safe_load(yaml.safe_dump(found.model_dump(exclude_defaults=True))))
    assert [again.answering(of).sampling.temperature for of in ("weak", "strong")] == [0.7, 0.0]
    (tmp_path / "weak/generation_config.json").unlink()
    with pytest.raises(UserError, match=r"experiment.yaml:\d+: .*generation.sampling.*no such file"):
        read_experiment(path)


def test_the_sampling_of_a_model_on_the_hub_is_not_known(written):
    with pytest.raises(UserError, match=r'"generation.sampling".*some/weak is a name on the hub'):
        read_experiment(written(generation={"sampling": "model"}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generation": {"thinking": "on"}}, "generation: expected a chat with thinking, got none"),
        ({"generation": {"thinking": "maybe"}}, "generation.thinking.*expected 'on', 'off' or 'auto'"),
        ({"generation": {"stop": ["a"], "no_stop": True}}, "expected either stop or no_stop, got both"),
        ({"generation": {"sampling": {"temprature": 1}}}, 'Did you mean "temperature"'),
        ({"generation": {"sampling": {"top_k": -1}}}, "generation.sampling.top_k.*from 0"),
        ({"generation": {"sampling": "recommended"}}, "generation.sampling.defaults.*'published' or 'model'"),
        ({"generation": {"max_failures": 2}}, "generation.max_failures.*a number from 0 to 1, got 2"),
        ({"scoring": {"mode": "exact"}}, "scoring.mode.*'published', 'symbolic' or 'math-verify'"),
        ({"scoring": {"extract": "guess"}}, '"scoring.extract": no way to extract answers is called "guess"'),
        ({"scoring": {"extract": "regex:("}}, '"scoring.extract": the pattern does not compile'),
        ({"scoring": {"extract": "regex:a"}}, '"scoring.extract": the pattern has no group'),
        ({"generation": {"stop": ["a", ""]}}, "generation.stop.1.*an empty text would end every response"),
        (
            {**CHAT, "generation": {"system": " "}},
            '"generation.system": expected a system prompt, or "" for none',
        ),
        ({"reasoning": {"start": "<t>"}}, "reasoning.end.*is missing"),
        (
            {"reasoning": {"start": "<t>", "end": "<t>"}},
            '"reasoning": the start and the end of thinking have the',
        ),
        ({"reasoning": {"start": " ", "end": "<t>"}}, '"reasoning": expected text that is not empty'),
        ({"train_on": "thinking"}, "train_on.*'whole' or 'answer'"),
        ({"evaluation": {"avg_at": {"k": 1}}}, "evaluation.avg_at.k.*from 2"),
        ({"weak": {**SMALL["weak"], "generation": {"shards": 2}}}, "weak.generation.shards.*not a known key"),
        (
            {"weak": {**SMALL["weak"], "generation": {"system": "x"}}, "strong": CHAT["strong"]},
            "weak.generation: expected a chat with system",
        ),
    ],
)
def test_mistakes_are_named_with_their_place(written, changes, message):
    with pytest.raises(UserError, match=message) as caught:
        read_experiment(written(**changes))
    assert Path(str(caught.value.file)).name == "experiment.yaml"
    assert caught.value.line


def test_a_generation_is_written_in_the_order_of_earlier_files():
    written = GenerationSection(
        max_tokens=64, samples_per_job=5, engine="transformers", options={"batch_size": 2}
    )
    assert [*written.model_dump(exclude_defaults=True)] == [
        "engine",
        "options",
        "samples_per_job",
        "max_tokens",
    ]


SERVER = {"base_url": "http://127.0.0.1:1/v1"}


@pytest.mark.parametrize(
    ("options", "stage2", "words"),
    [
        (SERVER, None, "the server has to load it"),
        ({**SERVER, "load_adapters": True}, {"methods": {"dpo": {}}}, "a base model that no server has"),
    ],
)
def test_what_a_server_cannot_answer_is_found_when_the_run_is_planned(planned, options, stage2, words):
    changes = {"generation": {"engine": "openai", "options": options}, "stage2": stage2}
    with pytest.raises(UserError, match=words):
        planned(**changes)


def test_adapters_that_a_server_loads_can_be_planned(planned):
    options = {**SERVER, "load_adapters": True}
    assert planned(generation={"engine": "openai", "options": options}, stage2=None).steps
