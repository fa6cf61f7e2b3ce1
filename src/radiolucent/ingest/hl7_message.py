"""A message: what it says, in our own records."""

from __future__ import annotations

from dataclasses import replace

from radiolucent.ingest.hl7_header import ReadingOptions, check_header, read_header
from radiolucent.ingest.hl7_order import orders_of
from radiolucent.ingest.hl7_patient import merges_of, update_of
from radiolucent.ingest.hl7_refusals import refused
from radiolucent.ingest.hl7_segments import read_segments
from radiolucent.records.hl7 import Hl7Message

_DEFAULTS = ReadingOptions()


def read_message(payload: bytes, *, peer: str = "", options: ReadingOptions = _DEFAULTS) -> Hl7Message:
    """Read ORM^O01, OMI^O23, ADT^A08 or ADT^A40.

    Parameters
    ----------
    payload
        The message without its frame.
    peer
        Network address of the sender.

    Raises
    ------
    MessageRefused
        An `radiolucent.errors.InputRefused` with a code of the rows ``hl7_...`` of ``docs/errors.md``, and nothing
        else whatever the bytes.
    """
    header = read_header(payload)
    codec = check_header(header, options)
    segments = read_segments(payload, codec)
    message = Hl7Message(header=header, payload=payload, peer=peer)
    if header.message_code != "ADT":
        return replace(message, orders=orders_of(segments, authority=options.authority))
    if header.trigger_event == "A40":
        return replace(message, merges=merges_of(segments, authority=options.authority))
    pid = next((each for each in segments if each.name == "PID"), None)
    if pid is None:
        raise refused("hl7_segment_missing", "an update without PID", "PID", "Mend it at the sender.")
    return replace(message, updates=(update_of(pid, authority=options.authority),))
