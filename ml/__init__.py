"""Models of Keepwell: each package trains, evaluates, registers and scores one thing, and never computes a
feature.
"""
