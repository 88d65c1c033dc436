# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches without a window: clips in, a .blend and exports a clip out. `batch.py` starts it."""
