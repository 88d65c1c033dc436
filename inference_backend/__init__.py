"""Parallel PC-HMR: footage in, calibrated meshes and skeletons out. The process of torch; it never imports bpy."""

__version__ = "0.1.0"
