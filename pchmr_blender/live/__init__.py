# SPDX-License-Identifier: GPL-3.0-or-later
"""Edit Target Pose: while an artist drags a joint, the body follows."""
