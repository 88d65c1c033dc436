"""Metrics, protocols and benches: every figure in the README comes from a command of this package."""
