import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { api, problemOf, type Problem } from "../api/client";
import type { Finding, Session, StudyView, Vocabulary } from "../api/types";
import { nameOf } from "../decision/draft";
import { useKeys } from "../keys";
import { about, examination, moment, person } from "../words";
import { dropPixels, warmViewer } from "../viewer/film";
import { dropMaps } from "../viewer/maps";
import { Closed } from "./closed";
import { Films } from "./films";
import { useLease } from "./lease";
import { Panel } from "./panel";
import { Waiting } from "./parts";
import { useSigning } from "./signing";
import { Foot, Who } from "./shell";
import { ToolColumn } from "./tools";
import { useLooking } from "./looking";

/** Starts the viewer while the worklist is read, so that the first image comes at once. */
export function warmUp(): void {
  void warmViewer();
}

type Props = { studyKey: string; session: Session; onBack: () => void };

/** One study: its images first, the words beside them, and the decision. */
export function Reading({ studyKey, session, onBack }: Props) {
  const [study, setStudy] = useState<StudyView | null>(null);
  const [vocabulary, setVocabulary] = useState<Vocabulary | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const load = useCallback(() => {
    setProblem(null);
    api.study(studyKey).then(setStudy, (error: unknown) => setProblem(problemOf(error)));
  }, [studyKey]);
  useEffect(load, [load]);
  useEffect(() => void api.vocabulary().then(setVocabulary, () => undefined), []);
  useEffect(
    () => () => {
      dropPixels();
      dropMaps();
    },
    [],
  );
  if (problem) return <Closed studyKey={studyKey} problem={problem} onBack={onBack} onOpened={load} />;
  if (!study) return <Waiting />;
  return <Open {...{ study, vocabulary, session, onBack }} onStudy={setStudy} onReload={load} />;
}

type OpenProps = {
  study: StudyView;
  vocabulary: Vocabulary | null;
  session: Session;
  onBack: () => void;
  onStudy: (study: StudyView) => void;
  onReload: () => void;
};

function Open({ study, vocabulary, session, onBack, onStudy, onReload }: OpenProps) {
  const may = (permission: string) => session.permissions.includes(permission);
  const looking = useLooking(study);
  const lease = useLease(study, may("lease.take") && study.state !== "decided");
  const signing = useSigning({ study, lease, onStudy, onReload, onShow: looking.choose, mayDecide: may("decision.sign") });
  const page = useRef<HTMLDivElement>(null);
  useEffect(() => page.current?.focus(), []);
  useKeys([
    { key: "Escape", label: "Back to the worklist", group: "Study", run: signing.form ? signing.closeForm : onBack },
    ...looking.keys,
    ...signing.keys,
  ]);
  const active = useMemo(
    () => study.findings.find((finding) => nameOf(finding) === looking.active) ?? null,
    [study, looking.active],
  );
  return (
    <div class="reading" ref={page} tabIndex={-1}>
      <Head study={study} session={session} onBack={onBack} />
      <ToolColumn looking={looking} study={study} finding={active} />
      <main class="films" aria-label="Images">
        {study.series.length === 0 ? (
          <p class="empty">This study has no image that can be shown.</p>
        ) : (
          <Films study={study} finding={active} looking={looking} signing={signing} />
        )}
      </main>
      <Panel
        {...{ study, vocabulary, looking, signing, lease, onStudy, may }}
        finding={active}
        mayDecide={may("decision.sign")}
        mayBreak={may("lease.break")}
      />
      <Foot>
        <Evidence finding={active} />
        {study.audit_sequence !== null && <span>Audit entry {study.audit_sequence}</span>}
        <span>{study.disclaimer}</span>
      </Foot>
    </div>
  );
}

function Head({ study, session, onBack }: { study: StudyView; session: Session; onBack: () => void }) {
  const { patient } = study;
  const what = examination(study);
  const rest = [about(patient), patient.id, what, moment(study.studied_at), study.accession_number && `acc ${study.accession_number}`];
  return (
    <header class="top">
      <button type="button" class="quiet brand" onClick={onBack} title="Back to the worklist (Esc)">
        ← Worklist
      </button>
      {study.order?.priority === "stat" && <span class="stat">STAT</span>}
      <h1 class="patient">
        <span>{person(patient.name)}</span> <span class="dim">{rest.filter(Boolean).join(" · ")}</span>
      </h1>
      {study.order?.reason && <span class="asked dim">“{study.order.reason}”</span>}
      <Who session={session} />
    </header>
  );
}

function Evidence({ finding }: { finding: Finding | null }) {
  const error = finding?.maps[0]?.completeness_error;
  if (error === null || error === undefined) return null;
  return <span title={`error ${error.toExponential(0)}`}>Evidence adds up to the score</span>;
}
