import { useCallback, useState } from "preact/hooks";
import { api, problemOf, type Problem } from "../api/client";
import type { AddedFinding, Finding, FindingDecision, Region, StudyView } from "../api/types";
import { assess, emptyDraft, nameOf, open, request, withdraw, type Draft } from "../decision/draft";
import type { Binding } from "../keys";
import type { Tool } from "./film-view";
import type { Holding } from "./lease";

/** What is being filled in: the rejection or change of a finding, or one that was missed. */
export type Form = { kind: "reject" | "modify" | "add"; finding: Finding | null; region: Region | null };
export type Signing = ReturnType<typeof useSigning>;

type Args = {
  study: StudyView;
  lease: Holding;
  mayDecide: boolean;
  onStudy: (study: StudyView) => void;
  onReload: () => void;
  onShow: (name: string) => void;
};

/** The decision as it grows, and the one act that signs it. */
export function useSigning({ study, lease, mayDecide, onStudy, onReload, onShow }: Args) {
  const [draft, setDraft] = useState<Draft>(emptyDraft);
  const [form, setForm] = useState<Form | null>(null);
  const [drawing, setDrawing] = useState<Tool | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isSending, setSending] = useState(false);
  const [isCorrecting, setCorrecting] = useState(false);
  const [said, setSaid] = useState("");
  // An answer that never came may have been written: until it is known, the decision must not change.
  const isUnanswered = problem?.code === "network";
  const isOpen = mayDecide && !lease.holder && !study.ai_hidden && !!study.report_id && (!study.decision || isCorrecting);
  const mayChange = isOpen && !isSending && !isUnanswered;
  const missing = open(draft, study.findings);

  const closeForm = useCallback(() => {
    setForm(null);
    setDrawing(null);
  }, []);
  const next = (after: Draft) => {
    const left = open(after, study.findings)[0];
    if (left) onShow(nameOf(left));
    setSaid(left ? `Next: ${left.display}.` : "Every finding is assessed. Enter signs the study.");
  };
  const keep = (after: Draft) => {
    setDraft(after);
    closeForm();
    next(after);
  };
  const begin = (kind: Form["kind"], finding: Finding | null, image: number | null = null) => {
    if (!mayChange || (kind !== "add" && !finding)) return;
    const before = finding && draft.assessments[nameOf(finding)]?.changed?.regions[0];
    setForm({ kind, finding, region: kind === "modify" ? (before ?? boxOf(finding, image)) : null });
  };
  const sign = async () => {
    if (!isOpen || isSending || form) return;
    if (missing.length > 0) {
      onShow(nameOf(missing[0]!));
      setSaid(`Not signed: ${missing.map((finding) => finding.display).join(", ")} not assessed yet.`);
      return;
    }
    setSending(true);
    setProblem(null);
    setSaid("");
    try {
      const decision = await api.decide(study.study_key, request(draft, study));
      onStudy({ ...study, decision, state: "decided" });
      setDraft(emptyDraft());
      setCorrecting(false);
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      setSending(false);
    }
  };
  return {
    draft, form, drawing, problem, isSending, isOpen, isCorrecting, isUnanswered, mayChange, missing, said, closeForm, sign, begin,
    drawn: drawnIn(study.decision && !isCorrecting ? { ...draft, ...fromDecision(study) } : draft),
    keys: keysOf({ mayChange, hasForm: form !== null, setDrawing, sign }),
    setDrawing,
    setComment: (comment: string) => setDraft((now) => ({ ...now, comment })),
    setFinal: (isFinal: boolean) => setDraft((now) => ({ ...now, isFinal })),
    setRegion: (region: Region | null) => setForm((now) => now && { ...now, region }),
    accept: (finding: Finding) => mayChange && keep(assess(draft, finding, "accepted")),
    reject: (finding: Finding, more: Partial<FindingDecision>) => keep(assess(draft, finding, "rejected", more)),
    modify: (finding: Finding, more: Partial<FindingDecision>) => keep(assess(draft, finding, "modified", more)),
    withdraw: (finding: Finding) => mayChange && setDraft(withdraw(draft, finding)),
    add: (added: AddedFinding) => keep({ ...draft, added: [...draft.added, added] }),
    removeAdded: (at: number) => mayChange && setDraft({ ...draft, added: draft.added.filter((_, i) => i !== at) }),
    correct: () => {
      setDraft({ ...emptyDraft(), ...fromDecision(study) });
      setCorrecting(true);
    },
    leave: () => {
      setDraft(emptyDraft());
      setCorrecting(false);
      setProblem(null);
      setSaid("");
      closeForm();
    },
    startAnew: () => {
      setProblem(null);
      setDraft(emptyDraft());
      onReload();
    },
  };
}

type KeyArgs = { mayChange: boolean; hasForm: boolean; setDrawing: (tool: Tool) => void; sign: () => Promise<void> };

function keysOf({ mayChange, hasForm, setDrawing, sign }: KeyArgs): Binding[] {
  if (!hasForm) return [{ key: "Enter", label: "Sign the study", group: "Decide", run: () => void sign() }];
  if (!mayChange) return [];
  return [
    { key: "b", label: "Draw a box", group: "Decide", run: () => setDrawing("box") },
    { key: "o", label: "Draw an outline", group: "Decide", run: () => setDrawing("polygon") },
  ];
}

/** The server's own box of a finding on an image, as a region to start from. */
function boxOf(finding: Finding | null, image: number | null): Region | null {
  const map = finding?.maps.find((one) => one.image_key === image) ?? finding?.maps[0];
  if (!map?.box) return null;
  const [row, column, height, width] = map.box;
  return { image_key: map.image_key, kind: "box", points: [[row, column], [row + height, column + width]] };
}

function drawnIn(draft: Draft): Region[] {
  const changed = Object.values(draft.assessments).flatMap((said) => said.changed?.regions ?? []);
  return [...changed, ...draft.added.flatMap((added) => added.regions)];
}

/** A correction starts from what was signed. */
function fromDecision({ decision }: StudyView): Partial<Draft> {
  if (!decision) return {};
  const assessments = Object.fromEntries(decision.findings.map((said) => [nameOf(said), said]));
  return { assessments, added: decision.added, comment: decision.comment, isFinal: decision.is_final };
}
