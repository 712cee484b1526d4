"""DPO's reference and ORPO's start, as options and as what the trainer then does."""

from __future__ import annotations

import pytest
import yaml

from w2s_factory.errors import UserError
from w2s_factory.llamafactory.configs import make_config
from w2s_factory.llamafactory.dataset_info import pair_entry


def config(preset: str, tmp_path, **options):
    defaults = {
        "model": "owner/base",
        "output_dir": tmp_path / "out",
        "dataset": "pairs",
        "dataset_dir": tmp_path,
        "index": {"pairs": pair_entry("pairs.json", "columns")},
        "version": "0.9.5",
    }
    return yaml.safe_load(make_config(preset, **(defaults | options)))


M_PLUS = {"adapter": ["owner/m-plus"]}
CREATED = [
    ("dpo", {}, True),
    ("dpo", M_PLUS, True),
    ("dpo", M_PLUS | {"reference": "m-plus"}, True),
    ("dpo", M_PLUS | {"reference": "base"}, False),
    ("orpo", {"start": "base"}, True),
    ("orpo", M_PLUS | {"start": "m-plus"}, True),
    ("simpo", M_PLUS, True),
]


@pytest.mark.parametrize(("preset", "options", "created"), CREATED)
def test_whether_a_new_adapter_is_made(tmp_path, preset, options, created):
    assert config(preset, tmp_path, **options)["create_new_adapter"] is created


REFUSED = [
    ("dpo", {"reference": "base"}, "--adapter"),
    ("orpo", {"reference": "m-plus"}, "no reference model"),
    ("dpo", {"start": "base"}, "--start"),
    ("orpo", M_PLUS | {"start": "base"}, "takes no adapter"),
    ("dpo", M_PLUS | {"settings": {"quantization_bit": 4}}, "quantization_bit.*does not merge"),
    ("orpo", M_PLUS | {"settings": {"deepspeed": "ds_z3.json"}}, "Merge M_plus first"),
]


@pytest.mark.parametrize(("preset", "options", "problem"), REFUSED)
def test_what_would_not_be_what_it_says_is_refused(tmp_path, preset, options, problem):
    with pytest.raises(UserError, match=problem):
        config(preset, tmp_path, **options)


@pytest.mark.parametrize(("preset", "version"), [("orpo", "0.5.0"), ("simpo", "0.6.2"), ("simpo", "0.7.1")])
def test_methods_a_version_lacks_are_refused(tmp_path, preset, version):
    index = {"pairs": pair_entry("pairs.json", "release")}
    with pytest.raises(UserError, match=f'{version}.*has no method "{preset}"'):
        config(preset, tmp_path, version=version, index=index)
