"""Scorecards and anomaly models: sample, fit, validate, register, score."""
