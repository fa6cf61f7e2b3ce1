"""Which engine reads an image."""

from __future__ import annotations

import pytest

from radiolucent.engines.registry import Registry, shipped_folder
from radiolucent.engines.routing import check_engine, route
from radiolucent.errors import InputRefused
from radiolucent.records.image import ImageFacts

SPECS = Registry([shipped_folder()]).specs


def facts(modality: str | None, body_part: str | None, laterality: str | None = None) -> ImageFacts:
    return ImageFacts(
        stem="x", source_sha256="0", rows=8, columns=8, modality=modality, body_part=body_part, laterality=laterality
    )


@pytest.mark.parametrize(
    ("modality", "body_part", "engine"),
    [
        ("DX", "CHEST", "chest-film"),
        ("CR", "chest", "chest-film"),
        ("CR", "HAND", "bone-fracture"),
        ("DX", "KNEE", "bone-fracture"),
        ("CT", "HEAD", "head-ct-hemorrhage"),
        ("CT", "BRAIN", "head-ct-hemorrhage"),
        ("MR", "BRAIN", "brain-mri-tumor"),
        ("MR", "HEAD", "brain-mri-tumor"),
    ],
)
def test_modality_and_body_part_choose(modality: str, body_part: str, engine: str) -> None:
    assert route(facts(modality, body_part), SPECS).id == engine


@pytest.mark.parametrize(
    ("modality", "body_part"),
    [("US", "CHEST"), ("CT", "CHEST"), ("MR", "KNEE"), ("CR", None), (None, "CHEST"), ("CR", "ABDOMEN")],
)
def test_nothing_else_is_read(modality: str | None, body_part: str | None) -> None:
    with pytest.raises(InputRefused, match="no_engine"):
        route(facts(modality, body_part), SPECS)


def test_laterality_alone_chooses_nothing() -> None:
    with pytest.raises(InputRefused, match="no_engine"):
        route(facts("CR", None, laterality="L"), SPECS)


def test_a_named_engine_still_refuses_another_modality() -> None:
    chest = next(s for s in SPECS if s.id == "chest-film")
    check_engine(facts(None, None), chest)
    check_engine(facts("DX", None), chest)
    with pytest.raises(InputRefused, match="wrong_modality"):
        check_engine(facts("US", None), chest)
    with pytest.raises(InputRefused, match="wrong_body_part"):
        check_engine(facts("CR", "KNEE"), chest)
