# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of a file on one clip that an earlier batch has reconstructed:

1  look               the .blend and its take are there, and every edit can be applied
2  edit               clean-up layers and keys on the controls          in the open .blend
3  recalibrate        the rows that become others                       in the take
4  save               the .blend                                        NAME.blend
5  preview, export    as in `outputs`

The .blend is saved when all has gone well. Stopped before, it is as it was, and owns the take: whoever opens it next
makes the rows again that it did not ask for. An edit sets what it names, so the same file applied again finds its keys
there, no row to make again, and saves nothing.
"""

from __future__ import annotations

from ..activities import Work
from ..backend.client import Client
from ..core.edit_list import EditList
from ..core.takes import open_view
from ..edit_script import applying, require_people
from ..scene.handles import part_of
from ..scene.mesh_cache import cache_files
from ..scene.take_paths import open_person
from .arguments import Batch
from .blend_file import opened_file, save
from .clip_job import ClipJob, ClipMade, Show
from .outputs import kinds, made_files, make_outputs
from .stamps import Ledger


def recalibrate_work(client: Client, job: ClipJob, batch: Batch, edits: EditList, show: Show) -> Work:
    """The work; it returns a `ClipMade`.

    Raises:
        TakeNotFound: there is no .blend. TakeCorrupt, TakeVersion: no take, or one that cannot be read.
        BadArgument, PresetInvalid: an edit that cannot be applied; names it.
        SceneChanged: the .blend shows nobody of the clip.
        Everything that `recalibration`, `render_preview` and `export` raise.
    """
    ledger = Ledger(job.file("batch.json"), None, anew=False)
    blend = job.file("blend")
    open_view(job.take)
    yield f"Opening {blend.name}"
    with opened_file(blend):
        people = require_people(blend, job.take)
        applied = yield from applying(people, edits.of_clip(job.names), edits.cleanup, client)
        if applied.changed:
            yield f"Saving {blend.name}"
            save(blend)
            ledger.edited(blend, [file for person in people for file in cache_files(part_of(person, "BODY"))])
        anew = applied.changed or not all(ledger.has(kind) for kind in kinds(batch))
        view, _ = open_person(people[0])
        notice = yield from make_outputs(client, job, batch, people, view, ledger, show)
    return ClipMade(made_files(ledger, batch), tuple(filter(None, (applied.line(), notice))), anew)
