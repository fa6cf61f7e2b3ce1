"""What an operator counts: Prometheus meters without a word of a patient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """How things stand when somebody asks."""

    studies: Mapping[str, int]
    deliveries: Mapping[tuple[str, str], int]
    oldest_waiting_s: float
    disk_free_bytes: int
    associations: int
    reader_crashes: int


class _Levels(Collector):
    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    def collect(self) -> Iterable[GaugeMetricFamily]:
        drift = GaugeMetricFamily("radiolucent_drift", "Control chart, share of its limit", labels=["chart"])
        for chart, share in self._meters.drift.items():
            drift.add_metric([chart], share)
        yield drift
        levels = self._meters.levels
        if levels is None:
            return
        studies = GaugeMetricFamily("radiolucent_studies", "Studies by state", labels=["state"])
        for state, count in levels.studies.items():
            studies.add_metric([state], count)
        yield studies
        sends = GaugeMetricFamily("radiolucent_deliveries", "Deliveries", labels=["destination", "state"])
        for (destination, state), count in levels.deliveries.items():
            sends.add_metric([destination, state], count)
        yield sends
        for name, text, value in (
            ("oldest_waiting_seconds", "Age of the oldest study that waits to be read", levels.oldest_waiting_s),
            ("disk_free_bytes", "Free space on the data disk", levels.disk_free_bytes),
            ("associations", "Open DICOM associations", levels.associations),
            ("reader_crashes", "Reading processes that died since start", levels.reader_crashes),
        ):
            yield GaugeMetricFamily(f"radiolucent_{name}", text, value=value)


class Meters:
    """The meters of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._received = Counter("radiolucent_received_instances", "Instances kept", registry=self._registry)
        self._bytes = Counter("radiolucent_received_bytes", "Bytes of instances kept", registry=self._registry)
        self._refused = Counter("radiolucent_refused", "Refusals", ["code"], registry=self._registry)
        self._broken = Counter(
            "radiolucent_break_glass", "Studies of other sites opened in an emergency", registry=self._registry
        )
        self._steps = Histogram(
            "radiolucent_step_seconds", "Duration of a step", ["step"], buckets=SECONDS, registry=self._registry
        )
        self.levels: Levels | None = None
        self.drift: Mapping[str, float] = {}
        self._registry.register(_Levels(self))

    def received(self, size_bytes: int) -> None:
        """An instance was kept, or was here already."""
        self._received.inc()
        self._bytes.inc(size_bytes)

    def refused(self, code: str) -> None:
        """Something was not kept."""
        self._refused.labels(code).inc()

    def broke_glass(self) -> None:
        """A study of another site was opened in an emergency."""
        self._broken.inc()

    def step(self, name: str, seconds: float) -> None:
        """A step took this long."""
        self._steps.labels(name).observe(seconds)

    def text(self, levels: Levels) -> bytes:
        """The exposition format."""
        self.levels = levels
        return generate_latest(self._registry)
