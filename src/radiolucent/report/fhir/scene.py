"""What all resources of one bundle share: the report, and references to patient, study, order and devices."""

from __future__ import annotations

from dataclasses import dataclass

from radiolucent.records.result import EngineRef
from radiolucent.records.study import StudyReport
from radiolucent.report.fhir.datatypes import Resource, date_time, instant, text
from radiolucent.report.fhir.options import FhirOptions
from radiolucent.report.fhir.transaction import name_uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One report on its way into one bundle."""

    report: StudyReport
    options: FhirOptions
    patient: Resource
    study: Resource
    order: Resource | None

    @property
    def based_on(self) -> list[Resource]:
        """The order, where one is known."""
        return [self.order] if self.order else []

    @property
    def effective(self) -> str | None:
        """When the patient was imaged, where the study says so."""
        return date_time(self.report.context.started, self.options.zone)

    @property
    def issued(self) -> str:
        """When this revision was made."""
        return instant(self.report.produced_at)

    def device(self, engine: EngineRef) -> Resource:
        """A reference to the engine's Device."""
        return {"reference": engine_uuid(engine), "display": engine_name(engine)}


def engine_name(engine: EngineRef) -> str:
    """An engine for people."""
    return text(f"{engine.title or engine.id} {engine.version}")


def engine_uuid(engine: EngineRef) -> str:
    """The URN of an engine's Device: another network is another device, whatever it calls itself."""
    return name_uuid("engine", engine.id, engine.version, engine.sha256).urn
