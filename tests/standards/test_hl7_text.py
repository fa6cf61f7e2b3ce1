"""Escapes go there and back; a message cannot make us repeat a line break a billion times."""

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiolucent.standards.hl7_text import CHARACTER_SETS, Delimiters, codec_of, escape, message, segment, unescape

LINES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf", "Cn", "Co", "Zs")))


@given(LINES)
def test_escaped_text_reads_as_it_was(text):
    written = escape(text)
    assert not set(written) & set("|^~&\r\n")
    assert unescape(written) == text


@given(LINES)
def test_python_hl7_reads_what_we_write(text):
    line = message([segment("MSH", {3: "A"}), segment("OBX", {5: f"a{text}b"})])
    assert hl7.parse(line).extract_field("OBX", 1, 5) == f"a{text}b"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a\\.br\\b", "a\nb"),
        ("a\\.sp2\\b", "a\n\nb"),
        ("a\\.sp999999999999\\b", "a\nb"),
        ("a\\.sp99999\\b", "a" + "\n" * 10 + "b"),
        ("a\\.in+4\\b", "ab"),
        ("\\H\\loud\\N\\", "loud"),
        ("\\XC3A9\\", "é"),
        ("\\XC3\\\\XA9\\", "é"),
        ("\\XFF\\", "\\XFF\\"),
        ("\\XABC\\", "\\XABC\\"),
        ("\\X\\", ""),
        ("\\E\\X41\\E\\", "\\X41\\"),
        ("\\Zlocal\\x", "x"),
        ("\\C2842\\", "\\C2842\\"),
        ("open \\F", "open \\F"),
    ],
)
def test_sequences(written, read):
    assert unescape(written, codec="utf-8") == read


def test_other_delimiters_are_honoured():
    other = Delimiters(field="#", component="*", repetition="!", escape="%", subcomponent="@")
    assert unescape("%F%%S%%R%%T%%E%\\F\\", other) == "#*!@%\\F\\"


def test_control_characters_never_leave():
    assert escape("a\x00b\x0bc\x1cd\re\x7f\x85") == "a b c d\\.br\\e  "


@pytest.mark.parametrize(
    ("value", "codec"),
    [
        ("", None),
        ("ASCII", "ascii"),
        ("utf-8", "utf-8"),
        ("~ISO IR87", "iso2022_jp"),
        ("ASCII~UNICODE UTF-8", "utf-8"),
        ("ISO IR87~ISO IR159", "iso2022_jp_1"),
        ("8859/1~8859/15", None),
        ("8859/1~KLINGON", None),
        ("UNICODE UTF-16", None),
    ],
)
def test_character_sets(value, codec):
    assert codec_of(value) == codec


@pytest.mark.parametrize("name", CHARACTER_SETS)
def test_python_has_every_codec_and_ascii_stays_ascii(name):
    assert "MSH|^~\\&".encode(CHARACTER_SETS[name]) == b"MSH|^~\\&"


def test_empty_ends_are_left_out():
    assert segment("PID", {3: ("1", "", "", ("A", "", ""), ""), 5: ["", ("x", "")], 9: ""}) == "PID|||1^^^A||~x"
