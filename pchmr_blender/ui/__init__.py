# SPDX-License-Identifier: GPL-3.0-or-later
"""What people see. Draws what is known; never looks at the disk, never changes anything."""
