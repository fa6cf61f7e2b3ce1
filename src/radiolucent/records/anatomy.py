"""What the regions of one image measure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class AnatomyMeasures:
    """Figures of a chest film's regions; ``None`` where the regions do not allow one.

    Parameters
    ----------
    cardiothoracic_ratio
        Greatest width of the heart over the greatest inner width of the chest (Danzer 1919).
    mediastinal_ratio
        Width between the lungs at the height of the aortic arch over the greatest inner width of the chest.
    shift
        Column of the heart's and mediastinum's centre minus that of the chest's midline, over the chest's width;
        positive towards the patient's left, where it lies in health.
    sides
        By finding key: ``(right, left)`` share of positive evidence in each of the patient's lungs.
    """

    cardiothoracic_ratio: float | None = None
    mediastinal_ratio: float | None = None
    shift: float | None = None
    sides: dict[str, tuple[float, float]] = field(default_factory=dict)


NO_MEASURES = AnatomyMeasures()
