"""Benchmarks at the size of the plan's bank. Ratios within one run, for machines are noisy."""
