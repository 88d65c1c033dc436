"""A movie file as a table of its packets: which frame is which, and decoding from any of them, exactly.

The packets are demuxed once without decoding. The rank of a packet's presentation time among all shown packets is the
frame's index, whatever the rate does and in whatever order B-frames are stored. Decoding then starts at a key frame and
recognises each frame by that time, so a run decoded alone gives the same frames as the whole clip decoded in order.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from .errors import UnsupportedVideo
from .video_container import demux, open_movie, stated_rates, stated_seconds

_SLACK = 0.25
"""Seconds by which a stated length may exceed the packets', besides the longest interval: muxers round, and the last
packet does not always tell how long its frame stands."""


class KeyPacket(NamedTuple):
    """A packet decoding can start at."""

    pts: int
    """Presentation time, ticks."""
    seek: int
    """Time to seek to, ticks: the decoding time where the file has one, by which most containers are sorted."""
    order: int
    """Position among the stream's packets."""


@dataclass(frozen=True, eq=False)
class PacketTable:
    """The packets of a movie's picture stream."""

    stamps: list[int]
    """Presentation times in ticks of the F shown frames, ascending. Empty where `counted`."""
    index_of: dict[int, int]
    """Presentation time in ticks → frame index, shown frames only. Empty where `counted`."""
    order_of: dict[int, int]
    """Presentation time in ticks → position of the packet in the file. Empty where `counted`."""
    keys: list[KeyPacket]
    """Where decoding can start, in the file's order. Empty where `counted`."""
    counted: bool
    """The file's times do not tell its frames apart: frames are counted, and every run decodes from the beginning."""
    times: NDArray[np.float64]
    """(F,) seconds from the first shown frame, strictly increasing, read-only."""
    tick: float
    """Seconds in a tick: how finely times are known."""
    rates: tuple[Fraction, ...]
    """Frame rates the file states, the most trustworthy first."""
    cut_short: bool
    """The file states a length that its packets do not reach, or its last packet is incomplete."""


def read_table(path: Path) -> PacketTable:
    """The table of a movie, read once per process as long as the file stays the same.

    Raises UnsupportedVideo as `open_movie` does, and for a movie without frames.
    """
    state = path.stat()
    return _read_table(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _read_table(path: Path, size: int, mtime_ns: int) -> PacketTable:
    rows: list[tuple[int | None, int | None, bool, bool, int]] = []
    incomplete = False
    with open_movie(path) as (container, stream):
        hides = stream.codec_context.name == "vp8"
        for packet in demux(container, stream):
            # VP8 stores reference frames that are never shown as packets of their own (RFC 6386, 9.1: show_frame).
            hidden = packet.is_discard or (hides and not bytes(packet)[0] & 0x10)
            rows.append((packet.pts, packet.dts, packet.is_keyframe, not hidden, packet.duration or 0))
            incomplete = packet.is_corrupt
        # AVI stores no presentation times; with B-frames those that are made up for it are wrong.
        unordered = container.format.name == "avi" and bool(stream.codec_context.has_b_frames)
        rates, stated, tick = stated_rates(stream), stated_seconds(container, stream), float(stream.time_base)

    known = [pts for pts, *_ in rows if pts is not None]
    if unordered or len(set(known)) < len(rows):
        times = _count_frames(path, tick, rates)
        cut_short = incomplete or stated > times[-1:].sum() + _SLACK
        return PacketTable([], {}, {}, [], True, _checked(path, times), tick, rates, cut_short)
    shown = sorted((pts, pts + duration) for pts, _, _, shown, duration in rows if shown and pts is not None)
    longest = max((later[0] - sooner[0] for sooner, later in pairwise(shown)), default=0)
    cut_short = incomplete or (bool(shown) and stated > (shown[-1][1] - shown[0][0] + longest) * tick + _SLACK)
    stamps = [pts for pts, _ in shown]
    last_dts = rows[-1][1] if rows else None
    if cut_short and last_dts is not None:
        # Every lost frame is shown after the last packet's decoding time, but maybe before frames that are there (the
        # references of lost B-frames): those are left out, as their index cannot be known.
        stamps = [pts for pts in stamps if pts <= last_dts] or stamps
    keys = [
        KeyPacket(pts, pts if dts is None else dts, order)
        for order, (pts, dts, key, _, _) in enumerate(rows)
        if key and pts is not None
    ]
    index_of = {pts: index for index, pts in enumerate(stamps)}
    order_of = {pts: order for order, pts in enumerate(known)}
    times = (np.array(stamps, dtype=np.float64) - stamps[:1]) * tick
    return PacketTable(stamps, index_of, order_of, keys, False, _checked(path, times), tick, rates, cut_short)


def _checked(path: Path, times: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(times):
        raise UnsupportedVideo(
            f"{path.name} has a picture track, but no frames in it.",
            hint="Record or export it again: the recording was probably not finished.",
            path=str(path),
        )
    times.setflags(write=False)
    return times


def _count_frames(path: Path, tick: float, rates: tuple[Fraction, ...]) -> NDArray[np.float64]:
    """Times of a movie whose packets do not tell its frames apart: by decoding it all. Shape (F,), seconds."""
    with closing(_decode(path, None, None, 1)) as frames:
        stamps = [frame.pts for frame in frames]
    if None in stamps or any(later < sooner for sooner, later in pairwise(stamps)):
        return np.arange(len(stamps)) / float(rates[0])
    # Frames of the same time are set a tick apart, in the order they were decoded.
    steps = np.arange(len(stamps))
    ticks = np.maximum.accumulate(np.array(stamps, dtype=np.int64) - steps) + steps
    return np.asarray((ticks - ticks[:1]) * tick, np.float64)


def decode_frames(
    path: Path, table: PacketTable, start: int, stop: int, threads: int
) -> Generator[tuple[int, Any], None, None]:
    """Yield (frame index, av.VideoFrame) of the frames in [start, stop) that decode, indices ascending.

    `threads` is the number of decoding threads, 0 for one per core.
    """
    frames = _count(path, threads) if table.counted else _recognise(path, table, start, threads)
    with closing(frames):
        last = start - 1
        for index, frame in frames:
            if index >= stop:
                return
            if index > last:
                yield index, frame
                last = index


def _count(path: Path, threads: int) -> Generator[tuple[int, Any], None, None]:
    with closing(_decode(path, None, None, threads)) as frames:
        yield from enumerate(frames)


def _recognise(path: Path, table: PacketTable, start: int, threads: int) -> Generator[tuple[int, Any], None, None]:
    """Frames from the key frame before `start` on, or from the one before that where the first does not decode.

    A damaged key frame, or a stream that refreshes gradually (H.264 recovery points), needs the earlier one: what the
    decoder holds is then what it would hold in a reading from the beginning.
    """
    stamp = table.stamps[start]
    # Frames stored after a key frame but shown before it (open groups) need the key frame before: both orders count.
    before = [key for key in table.keys if key.pts <= stamp and key.order <= table.order_of[stamp]]
    candidates: list[KeyPacket | None] = [*reversed(before[-2:])] or [None]
    for key in candidates:
        with closing(_decode(path, table, key, threads)) as frames:
            usable = (f for f in frames if f.pts is not None and (key is None or f.pts >= key.pts))
            first = next(usable, None)
            sound = key is None or (first is not None and first.pts == key.pts)
            if first is not None and (sound or key is candidates[-1]):
                for frame in chain([first], usable):
                    index = table.index_of.get(frame.pts)
                    if index is not None:
                        yield index, frame
                return


def _decode(path: Path, table: PacketTable | None, key: KeyPacket | None, threads: int) -> Generator[Any, None, None]:
    """Every frame the decoder gives from the key packet on, from the file's first packet without one.

    Packets that fail to decode give nothing.
    """
    with open_movie(path) as (container, stream):
        decoder = stream.codec_context
        decoder.thread_count = threads
        if threads != 1:
            decoder.thread_type = "AUTO"
        if table is None or key is None:
            packets = demux(container, stream)
        else:
            packets = _packets_from(path, table, key, container, stream)
        with closing(packets):
            for packet in chain(packets, [None]):
                try:
                    frames = decoder.decode(packet)
                except FFmpegError as error:
                    if isinstance(error, MemoryError):
                        raise
                    continue
                yield from frames


def _packets_from(
    path: Path, table: PacketTable, key: KeyPacket, container: Any, stream: Any
) -> Generator[Any, None, None]:
    """Exactly the packets key.order, key.order + 1, …: by seeking, each checked against the table."""
    expected = key.order
    if _seek(container, stream, key.seek):
        for packet in demux(container, stream):
            order = table.order_of.get(packet.pts, -1)
            if expected == key.order and 0 <= order < expected:
                continue
            if order != expected:
                break
            yield packet
            expected += 1
    if expected < len(table.order_of):
        # The seek went astray, as it may in transport streams: from the beginning the packets can be counted.
        with open_movie(path) as (again, stream):
            for order, packet in enumerate(demux(again, stream)):
                if order >= expected:
                    yield packet


def _seek(container: Any, stream: Any, ticks: int) -> bool:
    try:
        container.seek(ticks, stream=stream)
    except FFmpegError:
        return False
    return True
