"""Monitoring of the champion: has the world moved away from what it was fitted on, and does it still hold?"""
