"""The door for multipart bodies: whatever the chunks, whatever the bytes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.errors import InputRefused
from radiolucent.web.dicomweb.limits import WebLimits
from radiolucent.web.dicomweb.multipart import RelatedReader

LIMITS = WebLimits(max_part_bytes=1000, max_parts=5)


def read(body, boundary="b", chunks=(), limits=LIMITS):
    reader, parts, at = RelatedReader(boundary, limits), [], 0
    for size in [*chunks, len(body)]:
        parts += reader.feed(body[at : at + size])
        at += size
    reader.close()
    return parts


def body_of(*parts, boundary="b", kind="application/dicom"):
    heads = (f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n" for part in parts)
    return b"".join(heads) + f"--{boundary}--\r\n".encode()


def code_of(body, **options):
    with pytest.raises(InputRefused) as caught:
        read(body, **options)
    return caught.value.code


@given(
    parts=st.lists(st.binary(max_size=60) | st.sampled_from([b"\r\n--", b"\r\n--c", b"--b", b"\r\n\r\n"]), max_size=5),
    chunks=st.lists(st.integers(1, 20), max_size=60),
)
def test_parts_come_through_whatever_the_chunks(parts, chunks):
    whole = b"\r\n--boundary-77"
    parts = [part for part in parts if whole not in b"\r\n" + part]
    found = read(body_of(*parts, boundary="boundary-77"), boundary="boundary-77", chunks=chunks)
    assert [part.body for part in found] == parts
    assert all(part.content_type == "application/dicom" for part in found)


@given(st.binary(max_size=400), st.lists(st.integers(1, 9), max_size=80))
def test_any_bytes_are_parts_or_a_refusal(noise, chunks):
    for body in (noise, b"--b\r\n" + noise, body_of(noise)[: len(noise)], b"--b" + noise + b"--b--"):
        code = ""
        try:
            parts = read(body, chunks=chunks)
        except InputRefused as refusal:
            code, parts = refusal.code, []
        assert code in ("", "malformed_multipart", "upload_too_large", "unsupported_upload")
        assert sum(len(part.body) for part in parts) <= len(body)


def test_preamble_padding_and_epilogue_are_passed_over():
    body = b"to be ignored\r\n--b  \t\r\nContent-Type: a/b\r\n\r\nONE\r\n--b\r\n\r\nTWO\r\n--b--more\r\nepilogue"
    assert [(part.content_type, part.body) for part in read(body)] == [("a/b", b"ONE"), ("", b"TWO")]


def test_a_body_that_looks_like_an_end_is_kept():
    assert read(body_of(b"x\r\n--c\r\n--"))[0].body == b"x\r\n--c\r\n--"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_multipart"),
        (b"--b\r\nContent-Type: a/b\r\n\r\nONE", "malformed_multipart"),
        (b"--b\r\nContent-Type: a/b\r\n\r\nONE\r\n--b", "malformed_multipart"),
        (b"--bx\r\n\r\nONE\r\n--b--", "malformed_multipart"),
        (b"--b\r\n" + b"X: y\r\n" * 4000 + b"\r\nONE\r\n--b--", "malformed_multipart"),
        (b"x" * 20_000, "upload_too_large"),
        (body_of(b"x" * 1001), "upload_too_large"),
        (b"--b\r\n\r\n" + b"x" * 2000, "upload_too_large"),
        (body_of(*[b""] * 6), "upload_too_large"),
        (b"--b\r\nContent-Encoding: gzip\r\n\r\nONE\r\n--b--", "unsupported_upload"),
        (b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\nONE\r\n--b--", "unsupported_upload"),
    ],
)
def test_what_is_refused(body, code):
    assert code_of(body) == code
    assert code_of(body, chunks=[1] * len(body)) == code


@pytest.mark.parametrize("boundary", ["", "x" * 201, "b\r\nX: y", "ends in space ", "ü"])
def test_illegal_boundaries(boundary):
    assert code_of(b"", boundary=boundary) == "malformed_multipart"


def test_a_boundary_as_long_as_those_of_orthanc_is_read():
    boundary = "636d4f45-e768-4ee0-8516-1e8c102073cf-636d4f45-e768-4ee0-8516-1e8c102073cf"
    assert read(body_of(b"ONE", boundary=boundary), boundary=boundary)[0].body == b"ONE"


def test_the_largest_part_that_fits_is_taken():
    assert len(read(body_of(b"x" * 1000))[0].body) == 1000


def test_no_more_than_a_part_is_held():
    reader, fed = RelatedReader("b", LIMITS), 0
    list(reader.feed(b"--b\r\n\r\n"))
    with suppress(InputRefused):
        for _ in range(100):
            fed += 500
            list(reader.feed(b"x" * 500))
    assert fed == 1500
