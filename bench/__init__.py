"""Benchmarks: each figure is a ratio against a yardstick that is measured in the same run, turn by turn."""
