"""Names that public chest film networks give their classes, and the findings they are here; torch-free.

Codes are those of ``training/configs/chest-film.toml``. Fracture of bone is SNOMED CT 125605004. A lung lesion and an
enlarged cardiomediastinum have no code that could be confirmed, so they carry one of our own.
"""

from __future__ import annotations

from radiolucent.importing.plan import Kind, PlannedFinding
from radiolucent.records.engine import Code


def _own(key: str, meaning: str) -> Code:
    return Code(scheme="99RADIOLUCENT", value=key, meaning=meaning)


def _sct(value: str, meaning: str) -> Code:
    return Code(scheme="SCT", value=value, meaning=meaning)


# Label of the library, key, words, code, critical, kind, expected regions; in order of importance.
_Row = tuple[str, str, str, Code, bool, Kind, tuple[str, ...]]
_LUNG = ("lung",)
_ROWS: tuple[_Row, ...] = (
    ("Pneumothorax", "pneumothorax", "Pneumothorax", _sct("36118008", "Pneumothorax"), True, "localisable", _LUNG),
    ("Edema", "edema", "Pulmonary edema", _sct("19242006", "Pulmonary edema"), True, "diffuse", _LUNG),
    ("Mass", "mass", "Lung mass", _sct("309529002", "Lung mass"), True, "localisable", _LUNG),
    ("Pneumonia", "pneumonia", "Pneumonia", _sct("233604007", "Pneumonia"), False, "localisable", _LUNG),
    (
        "Consolidation",
        "consolidation",
        "Consolidation",
        _sct("95436008", "Lung consolidation"),
        False,
        "localisable",
        _LUNG,
    ),
    ("Effusion", "effusion", "Pleural effusion", _sct("60046008", "Pleural effusion"), False, "localisable", _LUNG),
    (
        "Lung Opacity",
        "lung_opacity",
        "Lung opacity",
        Code(scheme="RADLEX", value="RID28530", meaning="opacity"),
        False,
        "localisable",
        _LUNG,
    ),
    (
        "Lung Lesion",
        "lung_lesion",
        "Lung lesion (nodule or mass)",
        _own("lung_lesion", "Lung lesion"),
        False,
        "localisable",
        _LUNG,
    ),
    ("Nodule", "nodule", "Lung nodule", _sct("427359005", "Solitary nodule of lung"), False, "localisable", _LUNG),
    ("Atelectasis", "atelectasis", "Atelectasis", _sct("46621007", "Atelectasis"), False, "localisable", _LUNG),
    (
        "Infiltration",
        "infiltration",
        "Pulmonary infiltrate",
        _sct("409609008", "Radiologic infiltrate of lung"),
        False,
        "localisable",
        _LUNG,
    ),
    (
        "Enlarged Cardiomediastinum",
        "enlarged_cardiomediastinum",
        "Enlarged cardiomediastinum",
        _own("enlarged_cardiomediastinum", "Enlarged cardiomediastinum"),
        False,
        "localisable",
        ("heart",),
    ),
    ("Cardiomegaly", "cardiomegaly", "Cardiomegaly", _sct("8186001", "Cardiomegaly"), False, "localisable", ("heart",)),
    ("Fracture", "fracture", "Fracture", _sct("125605004", "Fracture of bone"), False, "localisable", ()),
    ("Emphysema", "emphysema", "Emphysema", _sct("87433001", "Pulmonary emphysema"), False, "diffuse", _LUNG),
    ("Fibrosis", "fibrosis", "Pulmonary fibrosis", _sct("51615001", "Fibrosis of lung"), False, "diffuse", _LUNG),
    (
        "Pleural_Thickening",
        "pleural_thickening",
        "Pleural thickening",
        _own("pleural_thickening", "Pleural thickening"),
        False,
        "localisable",
        _LUNG,
    ),
    (
        "Hernia",
        "hernia",
        "Diaphragmatic or hiatal hernia",
        _sct("39839004", "Diaphragmatic hernia"),
        False,
        "localisable",
        ("lower thorax",),
    ),
)


def _plain(label: str) -> str:
    return label.replace("_", " ").strip().lower()


BY_LABEL = {
    _plain(label): PlannedFinding(
        key=key,
        display=display,
        code=code,
        rank=rank,
        critical=critical,
        kind=kind,
        expected_regions=regions,
    )
    for rank, (label, key, display, code, critical, kind, regions) in enumerate(_ROWS, start=1)
}


def finding_of(label: str) -> PlannedFinding:
    """The finding that a class of this name is; an unknown name becomes a finding with a code of our own."""
    known = BY_LABEL.get(_plain(label))
    if known is not None:
        return known
    key = _plain(label).replace(" ", "_")
    return PlannedFinding(
        key=key,
        display=label.replace("_", " "),
        code=_own(key, label.replace("_", " ")),
        rank=len(BY_LABEL) + 1,
        critical=False,
        kind="localisable",
    )
