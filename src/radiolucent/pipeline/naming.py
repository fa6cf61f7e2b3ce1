"""Second stage, in order: one folder name per image, and files of several frames taken apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from radiolucent.errors import InputRefused
from radiolucent.ingest.content import stem_of
from radiolucent.pipeline.names import Names
from radiolucent.pipeline.opening import refusal_of
from radiolucent.pipeline.work import Frame, Opened, Refused, Repeated
from radiolucent.records.result import Reason


def name_frames(opened: Iterable[Opened | Refused], names: Names) -> Iterator[Frame | Refused | Repeated]:
    """Give every image its folder, and every frame of a multi-frame image a folder in it."""
    for item in opened:
        if isinstance(item, Refused):
            yield _name_refused(item, names)
            continue
        named = _name(item, names)
        if not isinstance(named, str):
            yield named
        elif item.facts.number_of_frames == 1:
            yield Frame(opened=item, frame_number=1, folder=named)
        else:
            for number in range(1, item.facts.number_of_frames + 1):
                yield Frame(opened=item, frame_number=number, folder=f"{named}/frame-{number:04d}")


def _name(item: Opened, names: Names) -> str | Refused | Repeated:
    uid = item.facts.sop_instance_uid
    if uid is None:
        return names.for_stem(stem_of(item.file.label), item.file.sha256)
    try:
        name = names.for_uid(uid, item.file.sha256)
    except InputRefused as error:
        reason = Reason(code=error.code, text=error.text)
        failed = refusal_of(reason, item.file, instance=item.instance, facts=item.facts, spec=item.spec)
        return replace(failed, folder=names.for_stem(uid, item.file.sha256))
    return Repeated(label=item.file.label, folder=uid) if name is None else name


def _name_refused(item: Refused, names: Names) -> Refused | Repeated:
    uid = None if item.facts is None else item.facts.sop_instance_uid
    if uid is None or item.sha256 is None:
        return replace(item, folder=names.for_stem(item.stem, item.sha256))
    try:
        name = names.for_uid(uid, item.sha256)
    except InputRefused:
        return replace(item, folder=names.for_stem(uid, item.sha256))
    return Repeated(label=item.label, folder=uid) if name is None else replace(item, folder=name)
