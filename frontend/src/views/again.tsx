import { useState } from "preact/hooks";
import { api, problemOf, type Problem } from "../api/client";
import type { StudyView } from "../api/types";
import { Trouble } from "./parts";

const REASONS = [
  ["quality", "Take back: quality"],
  ["patient_safety", "Take back: patient safety"],
] as const;

/** Reading a study again, or taking a wrong result back wherever it was sent; quiet, and asked twice. */
export function Again({ study, may }: { study: StudyView; may: (permission: string) => boolean }) {
  const [asked, setAsked] = useState<string | null>(null);
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const act = (doing: Promise<unknown>, done: string) => {
    setAsked(null);
    doing.then(
      () => {
        setSaid(done);
        setProblem(null);
      },
      (error: unknown) => setProblem(problemOf(error)),
    );
  };
  const acts = [
    ...(may("study.rerun") ? [["rerun", "Read again"] as const] : []),
    ...(may("result.retract") && study.report_id ? REASONS : []),
  ];
  if (acts.length === 0) return null;
  const go = (name: "rerun" | (typeof REASONS)[number][0]) =>
    name === "rerun"
      ? act(api.rerun(study.study_key), "It is read again.")
      : act(api.retract(study.study_key, name), "Taken back wherever it was sent.");
  return (
    <details class="again">
      <summary class="dim">If this result is wrong</summary>
      {problem && <Trouble error={problem} />}
      <p role="status">{said}</p>
      {acts.map(([name, label]) => (
        <button key={name} type="button" onClick={() => (asked === name ? go(name) : setAsked(name))}>
          {asked === name ? `${label}: sure?` : label}
        </button>
      ))}
    </details>
  );
}
