"""What a compressed frame says of itself, read before a codec allocates memory for it."""

from __future__ import annotations

from struct import unpack_from

from radiolucent.errors import InputRefused
from radiolucent.prepare.boundary import refused
from radiolucent.prepare.bounded import BoundedFile

ITEM, SEQUENCE_DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
JPEG_START, J2K_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
#: Start-of-frame markers of JPEG (ITU-T T.81 table B.1) and JPEG-LS (T.87: 0xF7).
FRAME_MARKERS = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xF7})
STANDALONE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})


def truncated() -> InputRefused:
    """Refusal of a file that ends before its data does."""
    return refused(
        "truncated_file",
        found="a file that ends before its data does",
        expected="the complete file",
        action="Transfer it again.",
    )


def check_items(file: BoundedFile, offset: int) -> None:
    """Walk the items of encapsulated pixel data (PS3.5 A.4) and refuse if one reaches beyond the end of the file.

    Raises
    ------
    InputRefused
        ``truncated_file``.
    """
    position, items = offset, 0
    while position + 8 <= file.size:
        file.seek(position)
        head = file.read(8)
        if head[:4] != ITEM:
            break
        position += 8 + int(unpack_from("<L", head, 4)[0])
        items += 1
    if items < 2 or position > file.size:
        raise truncated()


def _jpeg_size(data: bytes) -> tuple[int, int, int, int] | None:
    position = 2
    while position + 9 < len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in STANDALONE_MARKERS:
            position += 2
        elif marker in FRAME_MARKERS:
            bits, rows, columns, components = unpack_from(">BHHB", data, position + 4)
            return int(rows), int(columns), int(components), int(bits)
        else:
            position += 2 + int(unpack_from(">H", data, position + 2)[0])
    return None


def _j2k_size(data: bytes, start: int) -> tuple[int, int, int, int] | None:
    if len(data) < start + 44:
        return None
    right, bottom, left, top = unpack_from(">4L", data, start + 8)
    components, bits = unpack_from(">HB", data, start + 40)
    return int(bottom) - int(top), int(right) - int(left), int(components), (int(bits) & 0x7F) + 1


def declared_size(data: bytes) -> tuple[int, int, int, int] | None:
    """``(rows, columns, components, bits)`` by the codestream's own header, or ``None`` if it has none.

    Reads the SOF segment of JPEG and JPEG-LS and the SIZ segment of JPEG 2000 (ITU-T T.800 A.5.1).
    """
    if data.startswith(JPEG_START):
        return _jpeg_size(data)
    start = data.find(J2K_START, 0, 4096)
    return _j2k_size(data, start) if start >= 0 else None


def check_declared_size(data: bytes, *, rows: int, columns: int, samples: int) -> None:
    """Refuse a frame whose own size is not the header's: no codec is asked to fill a wrong buffer.

    Raises
    ------
    InputRefused
        ``pixel_data_mismatch``.
    """
    declared = declared_size(data)
    # JPEG may leave the number of rows to a DNL segment: 0.
    if declared is None or (declared[1] == columns and declared[0] in (rows, 0) and declared[2] == samples):
        return
    raise refused(
        "pixel_data_mismatch",
        found=f"a compressed frame of {declared[0]} x {declared[1]} pixels and {declared[2]} components",
        expected=f"{rows} x {columns} pixels and {samples} components, as the header says",
        action="Export the image again.",
    )
