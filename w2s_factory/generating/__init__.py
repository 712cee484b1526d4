"""Responses from models: demonstrations, engines, and runs that lose nothing when they are killed."""

from __future__ import annotations

from w2s_factory.generating.chat_settings import Chat, ChatSettings
from w2s_factory.generating.demonstrations import (
    PUBLISHED_COUNT,
    PUBLISHED_SEED,
    named_demonstrations,
    pick_demonstrations,
    read_demonstrations,
)
from w2s_factory.generating.engines import (
    ChatEngine,
    Engine,
    Model,
    chosen_chat,
    default_engine,
    engine_names,
    make_engine,
)
from w2s_factory.generating.generation import Generation, published_sampling
from w2s_factory.generating.generation_files import Shard
from w2s_factory.generating.generator import Preview, generate, preview
from w2s_factory.generating.model_sampling import model_sampling
from w2s_factory.generating.part import Generated
from w2s_factory.generating.requests import Completion, Request, Sampling
from w2s_factory.generating.shards import merge_shards
from w2s_factory.prompts import Question, few_shot_prompt, questions_of, read_questions, split_file

__all__ = [
    "PUBLISHED_COUNT",
    "PUBLISHED_SEED",
    "Chat",
    "ChatEngine",
    "ChatSettings",
    "Completion",
    "Engine",
    "Generated",
    "Generation",
    "Model",
    "Preview",
    "Question",
    "Request",
    "Sampling",
    "Shard",
    "chosen_chat",
    "default_engine",
    "engine_names",
    "few_shot_prompt",
    "generate",
    "make_engine",
    "merge_shards",
    "model_sampling",
    "named_demonstrations",
    "pick_demonstrations",
    "preview",
    "published_sampling",
    "questions_of",
    "read_demonstrations",
    "read_questions",
    "split_file",
]
