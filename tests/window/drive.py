"""Drives Blender's window from inside, as a person does: mouse and keys.

A test is a generator that yields the seconds for which Blender shall go on by itself; `run(test)` starts it once the
window is up, and its end, or its exception, ends the run. Events are real ones of the display's server (xdotool).
Coordinates are the window's: from the bottom left, pixels.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import time
import traceback
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import addon_utils
import bpy

Steps = Generator[float, None, Any]
Place = tuple[float, float]
Where = Callable[[], "tuple[bpy.types.Area, bpy.types.Region]"]
PAUSE = 0.05
"""Seconds after an event."""
BUTTONS = {"LEFT": "1", "MIDDLE": "2", "RIGHT": "3"}


def say(*words: object) -> None:
    """A line in the log."""
    print("TEST", *words, flush=True)


def run(test: Callable[[], Steps]) -> None:
    """Start a test when Blender's event loop runs."""
    steps = test()

    def turn() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            status = 0
        except BaseException:  # whatever it is, it goes to the log and ends the run
            traceback.print_exc()
            status = 1
        say("end", status)
        Path(os.environ["READY"]).write_text(str(status), "utf-8")
        return None

    bpy.app.timers.register(turn, first_interval=0.5, persistent=True)


def window() -> bpy.types.Window:
    return bpy.context.window_manager.windows[0]


def view3d(kind: str = "WINDOW") -> tuple[bpy.types.Area, bpy.types.Region]:
    """The 3D viewport's area, and its region of a kind; asked for again after a file is loaded."""
    area = next(area for area in window().screen.areas if area.type == "VIEW_3D")
    return area, next(region for region in area.regions if region.type == kind)


def sidebar() -> tuple[bpy.types.Area, bpy.types.Region]:
    """The viewport's."""
    return view3d("UI")


def move(x: float, y: float) -> Steps:
    """The mouse, to a place."""
    _xdotool("mousemove", int(x), window().height - 1 - int(y))
    yield PAUSE


def sweep(places: Iterable[Place], pause: float) -> Steps:
    """The mouse, from place to place, `pause` seconds apart, by a process beside Blender that does not hold it up."""
    words: list[object] = []
    for x, y in places:
        words += ["mousemove", int(x), window().height - 1 - int(y), "sleep", pause]
    mover = subprocess.Popen(["xdotool", *map(str, words)])
    while mover.poll() is None:
        yield PAUSE
    if mover.returncode:
        raise subprocess.CalledProcessError(mover.returncode, "xdotool")


def click(place: Place, button: str = "LEFT") -> Steps:
    yield from move(place[0] - 3, place[1])
    yield from move(*place)
    _xdotool("click", BUTTONS[button])
    yield 4 * PAUSE


def button(name: str) -> None:
    """A click where the mouse is."""
    _xdotool("click", BUTTONS[name])


def double_click(place: Place) -> Steps:
    yield from move(place[0] - 3, place[1])
    yield from move(*place)
    _xdotool("click", "--repeat", 2, "--delay", 60, BUTTONS["LEFT"])
    yield 4 * PAUSE


def drag(start: Place, end: Place, button: str = "LEFT", steps: int = 8) -> Steps:
    yield from move(*start)
    _xdotool("mousedown", BUTTONS[button])
    yield PAUSE
    for i in range(1, steps + 1):
        yield from move(*(a + (b - a) * i / steps for a, b in zip(start, end, strict=True)))
    _xdotool("mouseup", BUTTONS[button])
    yield 4 * PAUSE


def key(name: str) -> Steps:
    """A key or combination by X's name: "space", "Escape", "ctrl+z"."""
    _xdotool("key", name)
    yield 4 * PAUSE


def type_text(text: str) -> Steps:
    _xdotool("type", "--delay", 30, text)
    yield 4 * PAUSE


def wait(holds: Callable[[], object], limit: float, what: str) -> Steps:
    """Let Blender go on until something holds; TimeoutError after `limit` seconds. Returns the seconds it took."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > limit:
            raise TimeoutError(f"{what}: not within {limit} s")
        yield 0.05
    return time.monotonic() - began


def open_tab(name: str) -> Steps:
    """Show a tab of the viewport's sidebar; returns its area and region."""
    area, _ = view3d()
    area.spaces.active.show_region_ui = True
    yield 0.5
    area, side = view3d("UI")
    side.active_panel_category = name
    area.tag_redraw()
    yield 0.5
    return view3d("UI")


def open_preferences(package: str) -> Steps:
    """Show an extension's preferences where the viewport was."""
    view3d()[0].type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "PC-HMR"
    yield 0.5
    if not addon_utils.module_bl_info(addon_utils.addons_fake_modules[package])["show_expanded"]:
        bpy.ops.preferences.addon_expand(module=package)
    yield 0.5


def close_preferences() -> Steps:
    """The viewport again."""
    preferences()[0].type = "VIEW_3D"
    yield 0.5


def preferences() -> tuple[bpy.types.Area, bpy.types.Region]:
    """The preferences' area in this window, and its region of settings."""
    area = next(area for area in window().screen.areas if area.type == "PREFERENCES")
    return area, next(region for region in area.regions if region.type == "WINDOW")


def find_button(command: str, below: Place | None = None, where: Where = sidebar) -> Steps:
    """Where the button stands that runs a Python command, as "bpy.ops.pchmr.cancel(".

    `below`: a place in the region; what is above it is not looked at. `where`: the region.

    Raises LookupError with the commands that were found where there is none; one that cannot be pressed counts as none.
    """
    ask = bpy.ops.ui.copy_python_command_button
    return (yield from _find(ask, lambda text: text.startswith(command), command, below, where))


def find_field(data_path: str) -> Steps:
    """Where in the sidebar the field of a property stands, by the end of its path, as ".pchmr.clip".

    Raises LookupError with the paths that were found where there is none.
    """
    ask = functools.partial(bpy.ops.ui.copy_data_path_button, full_path=True)
    return (yield from _find(ask, lambda text: text.endswith(data_path), data_path, None, sidebar))


def _find(
    ask: Callable[[], object], fits: Callable[[str], bool], wanted: str, below: Place | None, where: Where
) -> Steps:
    """Go down a region with the mouse and ask Blender what is under it, at places across each line: a row may hold
    several buttons."""
    area, side = where()
    manager, seen = bpy.context.window_manager, {}
    top = side.y + side.height if below is None else int(below[1])
    line, shares = (9, (0.35, 0.75)) if where is sidebar else (13, (0.3, 0.55, 0.85))
    for y in range(top - 6, side.y, -line):
        for share in shares:
            place = side.x + side.width * share, float(y)
            yield from move(*place)
            with bpy.context.temp_override(window=window(), area=area, region=side):
                manager.clipboard = ""
                with contextlib.suppress(RuntimeError):  # its poll: nothing is under the mouse
                    ask()
            seen[manager.clipboard] = place
            if fits(manager.clipboard):
                return place
    raise LookupError(f"nothing for {wanted}, only {sorted(seen)}")


def press(command: str, below: Place | None = None, where: Where = sidebar) -> Steps:
    """Find a button and click it; returns its place. Raises LookupError where there is none."""
    place = yield from find_button(command, below, where)
    yield from click(place)
    return place


def enter(data_path: str, text: str) -> Steps:
    """Find a text field of the sidebar and type into it. Raises LookupError where there is none."""
    yield from double_click((yield from find_field(data_path)))
    yield from key("ctrl+a")
    yield from type_text(text)
    yield from key("Return")


def shot(name: str) -> None:
    """A picture of the display, /out/NAME.png."""
    subprocess.run(["scrot", "--overwrite", f"/out/{name}.png"], check=True)


def _xdotool(*words: object) -> None:
    subprocess.run(["xdotool", *map(str, words)], check=True)
