# SPDX-License-Identifier: GPL-3.0-or-later
"""What people press: properties → one call → one edit of the scene → a report."""
