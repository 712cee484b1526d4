"""Responses from models: prompts, demonstrations, engines."""
