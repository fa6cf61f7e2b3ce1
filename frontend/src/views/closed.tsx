import { useState } from "preact/hooks";
import { api, problemOf, type Problem } from "../api/client";
import { Field, Trouble } from "./parts";

type Props = { studyKey: string; problem: Problem; onBack: () => void; onOpened: () => void };

/** A study that does not open; in an emergency a study of another site does, for a stated reason. */
export function Closed({ studyKey, problem, onBack, onOpened }: Props) {
  const [failure, setFailure] = useState<Problem | null>(null);
  const breakGlass = (event: SubmitEvent) => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget as HTMLFormElement).get("reason") ?? "");
    api.breakGlass(studyKey, reason).then(onOpened, (error: unknown) => setFailure(problemOf(error)));
  };
  return (
    <main class="closed">
      <Trouble error={problem} onRetry={onOpened} />
      {problem.code === "other_site" && (
        <form onSubmit={breakGlass}>
          <h2>Emergency access</h2>
          <p>Opens this one study for 60 minutes. It is recorded, and an alert goes out.</p>
          <Field label="Reason">
            <input name="reason" required minLength={10} />
          </Field>
          {failure && <Trouble error={failure} />}
          <button type="submit">Open in an emergency</button>
        </form>
      )}
      <button type="button" onClick={onBack}>
        Back to the worklist
      </button>
    </main>
  );
}
