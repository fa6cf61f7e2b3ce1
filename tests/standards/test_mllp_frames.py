"""Frames come out whole however the stream is cut, and memory stays bounded."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.standards.mllp import HEAD_BYTES, Decoder, Frame, frame

PLAIN = st.binary(max_size=40).filter(lambda b: b"\x0b" not in b and b"\x1c" not in b)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


@given(st.lists(st.tuples(PLAIN, PLAIN), max_size=5), st.lists(st.integers(0, 500), max_size=12))
def test_any_cut_of_the_stream_gives_the_same_messages(pairs, places):
    stream = b"".join(noise + frame(message) for noise, message in pairs)
    decoder = Decoder()
    found = [each for piece in cut(stream, places) for each in decoder.feed(piece)]
    assert found == [Frame(payload=message) for _, message in pairs]
    assert decoder.skipped_bytes == sum(len(noise) for noise, _ in pairs)
    assert not decoder.is_inside


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=20))
def test_any_bytes_give_the_same_frames_whole_or_in_pieces(stream, places):
    whole, pieces = Decoder(max_bytes=32), Decoder(max_bytes=32)
    expected = whole.feed(stream)
    found = []
    for piece in cut(stream, places):
        found += pieces.feed(piece)
        assert pieces.held_bytes <= 32 + 1 + HEAD_BYTES
    assert [each.fault for each in found] == [each.fault for each in expected]
    # Of what is over the limit only the beginning is kept, and how much of it depends on the cuts.
    assert [each.payload[:32] for each in found] == [each.payload[:32] for each in expected]


def test_a_message_without_end_block_is_told_apart_from_the_next():
    found = Decoder().feed(b"\x0bMSH|half" + frame(b"MSH|whole"))
    assert found == [Frame(payload=b"MSH|half", fault="no_end_block"), Frame(payload=b"MSH|whole")]


def test_an_end_block_is_both_bytes():
    decoder = Decoder()
    assert decoder.feed(b"\x0ba\x1cb\x1c") == []
    assert decoder.feed(b"\r") == [Frame(payload=b"a\x1cb")]


def test_a_hundred_megabytes_pass_without_being_kept():
    decoder = Decoder(max_bytes=4 * 2**20)
    piece = b"x" * 2**16
    assert decoder.feed(b"\x0bMSH|^~\\&|big|") == []
    most = 0
    for _ in range(1600):
        assert decoder.feed(piece) == []
        most = max(most, decoder.held_bytes)
    assert most < 4 * 2**20 + 2**17
    (cut_off,) = decoder.feed(b"\x1c\r")
    assert cut_off.fault == "too_large"
    assert cut_off.payload.startswith(b"MSH|^~\\&|big|")
    assert len(cut_off.payload) == HEAD_BYTES
    assert decoder.feed(frame(b"MSH|next")) == [Frame(payload=b"MSH|next")]


@pytest.mark.parametrize(("size", "fault"), [(10, None), (11, "too_large")])
def test_the_limit_is_exact(size, fault):
    for step in (1, 100):
        decoder = Decoder(max_bytes=10)
        stream = frame(b"x" * size)
        found = [each for i in range(0, len(stream), step) for each in decoder.feed(stream[i : i + step])]
        assert [each.fault for each in found] == [fault]


@pytest.mark.parametrize("bad", [b"a\x0bb", b"a\x1c\rb"])
def test_what_would_break_its_frame_is_not_framed(bad):
    with pytest.raises(ValueError, match="must not hold"):
        frame(bad)
