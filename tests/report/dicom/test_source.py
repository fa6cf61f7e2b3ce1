import pytest
from pydicom.dataset import Dataset
from report.dicom import dicom_sources as sources

from radiolucent.errors import InputRefused
from radiolucent.report.dicom import legal
from radiolucent.report.dicom.source import read_source


def read(dataset, frame_number=1):
    return read_source(dataset, sources.facts(dataset, frame_number=frame_number), texts=("Pneumothorax",))


def test_damaged_values_become_legal_or_empty():
    header = read(sources.damaged())
    identity = header.identity
    assert identity.StudyDate == ""
    assert identity.PatientBirthDate == ""
    assert identity.StudyTime == ""
    assert identity.PatientSex == ""
    assert "PatientAge" not in identity
    assert len(identity.StudyID) == 16
    assert len(identity.PatientID) == 64
    assert "\\" not in identity.AccessionNumber
    assert header.body_part == ""
    assert header.series_number is None
    assert header.plane is None  # its row and column directions are the same
    assert header.lossy == ("1", "ISO_10918_1")


def test_nothing_private_is_inherited():
    identity = read(sources.damaged()).identity
    assert not any(element.tag.is_private for element in identity)
    assert "SECRET" not in str(identity)


def test_type_2_attributes_are_there_even_when_empty():
    identity = read(sources.bare()).identity
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyID"):
        assert identity[keyword].is_empty


@pytest.mark.parametrize("keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_a_source_that_cannot_be_referred_to_is_refused(keyword):
    dataset = sources.cr()
    delattr(dataset, keyword)
    with pytest.raises(InputRefused) as refused:
        read(dataset)
    assert refused.value.code == "source_without_identity"
    assert "Phantom" not in str(refused.value)


def test_what_is_not_an_image_is_refused():
    dataset = sources.source("1.2.840.10008.5.1.4.1.1.88.11", "SR")
    facts = sources.facts(dataset)
    del dataset.Rows
    with pytest.raises(InputRefused, match="source_is_not_an_image"):
        read_source(dataset, facts, texts=())


def test_the_frames_own_groups_come_before_the_shared_ones():
    header = read(sources.enhanced_ct(), frame_number=3)
    assert header.plane is not None
    assert header.plane.position == (-100.0, -120.0, 20.0)
    assert header.plane.spacing_mm == (0.7, 0.6)
    assert header.is_one_of_several_frames


def test_a_frame_of_reference_that_is_another_things_identifier_is_none():
    dataset = sources.ct()
    dataset.FrameOfReferenceUID = dataset.StudyInstanceUID
    assert read(dataset).plane is None


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (sources.cr, ()),
        (sources.japanese, ("", "ISO 2022 IR 87")),
        (sources.arabic, ("ISO_IR 127",)),
        (sources.greek, ("ISO_IR 126",)),
        (sources.unknown_character_set, ("ISO_IR 192",)),
    ],
)
def test_the_character_set_is_kept_where_it_holds_the_text(make, expected):
    assert read(make()).character_set == expected


def test_a_declared_default_repertoire_holds_ascii_only():
    dataset = sources.cr()
    dataset.SpecificCharacterSet = "ISO_IR 6"
    assert read(dataset).character_set == ("ISO_IR 6",)
    dataset.StudyDescription = "Bäcken"
    assert read(dataset).character_set == ("ISO_IR 192",)


def test_a_lone_single_byte_set_loses_its_code_extension():
    dataset = sources.cr()
    dataset.SpecificCharacterSet = "ISO 2022 IR 100"
    dataset.StudyDescription = "Bäcken"
    assert read(dataset).character_set == ("ISO_IR 100",)


def test_a_finding_the_source_character_set_cannot_hold_makes_it_utf8():
    dataset = sources.greek()
    header = read_source(dataset, sources.facts(dataset), texts=("気胸",))
    assert header.character_set == ("ISO_IR 192",)


@pytest.mark.parametrize(
    ("raw", "expected"), [("1999.01.31", "19990131"), ("19990131", "19990131"), ("19990231", ""), ("", ""), ("x", "")]
)
def test_dates(raw, expected):
    dataset = Dataset()
    sources._put_raw(dataset, "StudyDate", "DA", raw)
    assert legal.date(dataset, "StudyDate") == expected
