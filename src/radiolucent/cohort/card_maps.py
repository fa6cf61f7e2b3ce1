"""The card's sections on maps: where they point, and whether they say what the network uses."""

from __future__ import annotations

from collections.abc import Sequence

from radiolucent.cohort.evaluation import Evaluation, FindingFigures
from radiolucent.cohort.markdown import Names, short, table

STATUS = {"validated": "validated", "not_validated": "not validated: not shown", "unmeasured": "not measured"}


def maps(rows: Sequence[FindingFigures], names: Names) -> str:
    """Known places against the maps, and the gate."""
    known = [r for r in rows if r.places.places]
    if not known:
        return "There are no boxes or masks for this engine's test images: where its maps point was **not measured**."
    body = [
        [
            names[r.key],
            f"{r.places.places} ({r.places.groups})",
            r.places.hit_rate.text(),
            short(r.places.prior_hit_rate),
            short(r.places.centre_hit_rate),
            r.places.gain.text(),
            r.places.mean_iou.text(),
            f"{r.choice.region_fraction:.1f}",
            r.places.evidence_inside.text(),
            short(r.places.evidence_expected),
            short(r.places.peaks_expected),
            STATUS[r.places.map_status],
        ]
        for r in known
    ]
    header = [
        "Finding",
        "Places (patients)",
        "Hit rate (peak inside)",
        "Hit rate of the position prior",
        "Hit rate of the image centre",
        "Gain over the better of both",
        "Mean IoU of the region",
        "Region at this share of the peak",
        "Positive evidence inside the truth",
        "Positive evidence inside the expected region",
        "Peaks inside the expected region",
        "Map",
    ]
    return table(header, body)


def anatomy(rows: Sequence[FindingFigures], names: Names) -> str:
    """Agreement with the drawn regions."""
    body = [
        [
            names[r.key],
            f"{r.anatomy.images} ({r.anatomy.groups})",
            short(r.anatomy.evidence_expected),
            short(r.anatomy.peaks_expected),
        ]
        for r in rows
        if r.anatomy.images
    ]
    if not body:
        return "Agreement with anatomy was not measured: this engine draws no expected region."
    header = ["Finding", "Positives (patients)", "Positive evidence in the expected region", "Peaks inside it"]
    return "On all positive test images in which the expected region was drawn:\n\n" + table(header, body)


def faithful(evaluation: Evaluation) -> str:
    """Deletion, insertion, stability and random weights."""
    found = evaluation.faithfulness
    if found is None:
        return "Not measured."
    rows = [
        ["Deletion: area over random order", short(found.deletion_gain["random"]), "above 0"],
        ["Deletion: area over centre outwards", short(found.deletion_gain["centre"]), "above 0"],
        ["Insertion: gain over random order", short(found.insertion_gain["random"]), "above 0"],
        ["Insertion: gain over centre outwards", short(found.insertion_gain["centre"]), "above 0"],
        ["Map under noise (sd 0.02): rank correlation", short(found.noise_correlation), "near 1"],
        ["Probability under noise: mean change", short(found.noise_change), "near 0"],
        ["Map under shifts of 2 %: rank correlation", short(found.shift_correlation), "near 1"],
        ["Probability under shifts: mean change", short(found.shift_change), "near 0"],
    ]
    for row in evaluation.randomisation:
        what = row.what.replace("_", " ")
        words = f"{short(row.correlation)}; size {short(row.magnitude)}; sum misses by {row.completeness_error:.1e}"
        rows.append([f"Random weights ({what}): rank correlation", words, "near 0"])
    return f"On {found.probes} true positives of {found.groups} patients:\n\n" + table(
        ["What", "Measured", "Wanted"], rows
    )
