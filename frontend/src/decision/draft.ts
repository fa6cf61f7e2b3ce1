import type { AddedFinding, Assessment, DecisionRequest, Finding, FindingDecision, Region, StudyView, Vocabulary } from "../api/types";

/** A decision that is not signed yet. It lives in this page's memory and nowhere else. */
export type Draft = {
  readonly key: string;
  readonly assessments: Readonly<Record<string, FindingDecision>>;
  readonly added: readonly AddedFinding[];
  readonly comment: string;
  readonly isFinal: boolean;
};

/** An empty draft; its key stays the same over every retry, so that nothing is written twice. */
export function emptyDraft(): Draft {
  return { key: uuid(), assessments: {}, added: [], comment: "", isFinal: true };
}

export function nameOf(finding: { engine: string; key: string }): string {
  return `${finding.engine}/${finding.key}`;
}

/** The draft with a finding assessed; assessing it again replaces what was said. */
export function assess(
  draft: Draft,
  finding: Finding,
  assessment: Assessment,
  more: Partial<Pick<FindingDecision, "reason_code" | "comment" | "changed">> = {},
): Draft {
  const said: FindingDecision = {
    engine: finding.engine,
    key: finding.key,
    assessment,
    reason_code: more.reason_code ?? null,
    comment: more.comment ?? "",
    changed: more.changed ?? null,
  };
  return { ...draft, assessments: { ...draft.assessments, [nameOf(finding)]: said } };
}

/** The draft without what was said about a finding. */
export function withdraw(draft: Draft, finding: Finding): Draft {
  const { [nameOf(finding)]: _, ...assessments } = draft.assessments;
  return { ...draft, assessments };
}

export function assessmentOf(draft: Draft, finding: Finding): FindingDecision | undefined {
  return draft.assessments[nameOf(finding)];
}

/** The positive findings that nobody has judged yet: no study is signed with any. */
export function open(draft: Draft, findings: readonly Finding[]): Finding[] {
  return findings.filter((finding) => finding.positive && !assessmentOf(draft, finding));
}

/** What is sent. A decision that follows another says which. */
export function request(draft: Draft, study: StudyView): DecisionRequest {
  return {
    idempotency_key: draft.key,
    report_id: study.report_id ?? "",
    supersedes: study.decision?.decision_id ?? null,
    is_final: draft.isFinal,
    comment: draft.comment,
    findings: Object.values(draft.assessments).map((said) => ({
      engine: said.engine,
      key: said.key,
      assessment: said.assessment,
      reason_code: said.reason_code,
      comment: said.comment,
      changed: said.changed && {
        key: said.changed.key,
        display: said.changed.display,
        confidence: said.changed.confidence,
        regions: said.changed.regions.map(drawn),
      },
    })),
    added: draft.added.map(({ key, display, confidence, comment, regions }) => ({
      key,
      display,
      confidence,
      comment,
      regions: regions.map(drawn),
    })),
  };
}

/** What was said of a finding, in a line: the assessment, what it is changed to, why. */
export function saidOf(said: FindingDecision, vocabulary: Vocabulary | null): string {
  const reason = vocabulary?.reasons.find(({ code }) => code === said.reason_code)?.display ?? said.reason_code;
  const changed = said.changed && said.changed.key !== said.key ? ` to ${said.changed.display}` : "";
  const rest = [...(said.changed ? statement(said.changed) : []), reason?.toLowerCase(), said.comment];
  return [`${said.assessment}${changed}`, ...rest.filter(Boolean)].join("; ");
}

/** How sure a person is and what they drew. */
export function statement({ confidence, regions }: AddedFinding): string[] {
  const drawn = regions.length === 0 ? "" : regions.length === 1 ? "region drawn" : `${regions.length} regions drawn`;
  return [confidence ? `confidence ${confidence}` : "", drawn].filter(Boolean);
}

/** A correction starts from an answer of the server; only what a request may hold goes back. */
function drawn({ image_key, kind, points }: Region): Region {
  return { image_key, kind, points };
}

function uuid(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
