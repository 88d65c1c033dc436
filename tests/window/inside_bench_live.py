"""Inside the window: how long the body takes to follow a mouse that drags a joint. Prints seconds as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy  # noqa: E402
import drive  # noqa: E402
import numpy as np  # noqa: E402
from edit_window import body_of, bring, enter, module, place_of, preview, quiet, select, vertices  # noqa: E402

MOVES = 600
PAUSE = 0.05
"""Seconds between mouse moves."""


class Watch:
    """Times of the updates of a drag: from entering the handlers to the evaluation of what they left, and on to the
    drawing of it. Blender evaluates once the handlers have returned; here the last of them asks for it."""

    def __init__(self) -> None:
        self.updates: list[dict[str, float]] = []
        self._began: float | None = None
        self._parts: dict[str, float] = {}
        self._within = False
        self._open: list[tuple[Any, dict[str, float], float]] = []  # what was asked and is not answered
        bpy.app.handlers.depsgraph_update_post.insert(0, self._begin)
        bpy.app.handlers.depsgraph_update_post.append(self._evaluate)
        self._drawing = bpy.types.SpaceView3D.draw_handler_add(self._drawn, (), "WINDOW", "PRE_VIEW")
        editing, asking = module("live.editing"), module("live.asking").Asking
        for owner, name, part in (
            (editing.Editing, "follow", "handler"),
            (asking, "ask", "ask"),
            (asking, "pump", "waited"),
            (editing, "show_vertices", "write"),
            (editing.LiveControls, "hold", "followers"),
            (editing.LiveControls, "read", "read"),
        ):
            setattr(owner, name, self._timed(getattr(owner, name), part))
        receive, ask = editing.Editing._receive, asking.ask

        def asked(asking: Any, question: Any) -> None:
            self._question = question
            ask(asking, question)

        def received(editing: Any) -> Any:
            error = receive(editing)
            self._answered(editing.answer)
            return error

        asking.ask, editing.Editing._receive = asked, received

    def stop(self) -> None:
        bpy.app.handlers.depsgraph_update_post.remove(self._begin)
        bpy.app.handlers.depsgraph_update_post.remove(self._evaluate)
        bpy.types.SpaceView3D.draw_handler_remove(self._drawing, "WINDOW")

    def _timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*words: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*words, **named)
            finally:
                self._parts[part] = self._parts.get(part, 0.0) + time.perf_counter() - began

        return timed

    def _begin(self, *_: object) -> None:
        if not self._within:
            self._began, self._parts = time.perf_counter(), {}

    def _answered(self, answer: Any) -> None:
        """An answer is shown: of this question, or of a newer one than those that were dropped."""
        asked = [question for question, _, _ in self._open]
        if answer is not None and answer.question in asked:
            self._followed(asked.index(answer.question) + 1)

    def _followed(self, count: int) -> None:
        for _, update, began in self._open[:count]:
            update["followed"] = time.perf_counter() - began
        self._open = self._open[count:]

    def _evaluate(self, _: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
        if self._within or self._began is None or "ask" not in self._parts:
            return
        parts, self._within = dict(self._parts), True
        depsgraph.update()
        self._within = False
        self._parts = {**parts, "total": time.perf_counter() - self._began}
        self._parts["evaluated"] = self._parts["total"] - parts["handler"]
        editing = module("live.mode").current()
        fresh = not editing.waiting and np.array_equal(vertices(preview()), editing.answer.vertices)
        self.updates.append(self._parts)
        self._parts["fresh"] = float(fresh)
        if fresh:
            self._parts["followed"] = self._parts["total"]
            self._followed(len(self._open))
        else:
            self._open.append((self._question, self._parts, self._began))

    def _drawn(self) -> None:
        if self._began is not None and "total" in self._parts:
            self.updates[-1]["drawn"] = time.perf_counter() - self._began
            self._began = None


def bench() -> drive.Steps:
    yield from bring("PC2")
    yield from enter()
    select("wrist.L")
    yield from drive.wait(lambda: not module("live.mode").current().waiting, 120, "the backend")
    x, y = place_of("wrist.L")
    yield from drive.move(x, y)
    yield from drive.key("g")
    watch = Watch()
    turns = np.arange(MOVES) / 15
    yield from drive.sweep(
        zip(x + 40 * np.sin(turns), y + 40 - 40 * np.cos(turns) + np.arange(MOVES) % 2, strict=True), PAUSE
    )
    yield 1.0
    watch.stop()
    yield from drive.key("Escape")
    quiet()
    drive.say("vertices", len(body_of().data.vertices))
    drive.say("updates", json.dumps(watch.updates))


drive.run(bench)
