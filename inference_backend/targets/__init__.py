"""The target stack: layers that clean up a fitted motion, and the artist's edits on top of them.

Pure functions on arrays. `stack.py` tells the order; `motion.py` says what they are given and give back.
"""
