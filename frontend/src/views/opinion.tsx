import { useState } from "preact/hooks";
import { api, problemOf, type Problem } from "../api/client";
import type { StudyView, Vocabulary } from "../api/types";
import { Field, Trouble } from "./parts";

type Props = { study: StudyView; vocabulary: Vocabulary | null; onStudy: (study: StudyView) => void };

/** Read first: the engines' result stays hidden until the reader has said what is there. */
export function Opinion({ study, vocabulary, onStudy }: Props) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const ids = new Set(study.engines.map((engine) => engine.id));
  const findings = vocabulary?.findings.filter((finding) => ids.size === 0 || ids.has(finding.engine)) ?? [];
  const turn = (key: string) => setChosen((now) => (now.includes(key) ? now.filter((k) => k !== key) : [...now, key]));
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const comment = String(new FormData(event.currentTarget as HTMLFormElement).get("comment") ?? "");
    try {
      onStudy(await api.opinion(study.study_key, { findings: [...chosen], nothing: chosen.length === 0, comment }));
    } catch (error) {
      setProblem(problemOf(error));
    }
  };
  return (
    <form class="words opinion" onSubmit={submit}>
      <p class="kicker">Read first</p>
      <h2>What do you see?</h2>
      <p class="dim">The AI result is shown once your own reading is recorded.</p>
      <fieldset>
        <legend class="hidden">Findings you see</legend>
        {findings.map((finding) => (
          <label key={`${finding.engine}/${finding.key}`} class="check">
            <input type="checkbox" checked={chosen.includes(finding.key)} onChange={() => turn(finding.key)} />
            {finding.display}
          </label>
        ))}
      </fieldset>
      <Field label="Comment">
        <textarea name="comment" rows={2} />
      </Field>
      {problem && <Trouble error={problem} />}
      <button type="submit" class="primary">
        {chosen.length === 0 ? "Record: nothing found" : `Record ${chosen.length}`}
      </button>
    </form>
  );
}
