"""Imported where weights are checked, see `safetensors`."""
