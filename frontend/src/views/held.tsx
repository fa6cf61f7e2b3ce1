import { useState } from "preact/hooks";
import { moment } from "../words";
import type { Holding } from "./lease";
import { Field } from "./parts";

/** Who else has this study open, and how to take it over. */
export function Held({ lease, mayBreak }: { lease: Holding; mayBreak: boolean }) {
  const [isBreaking, setBreaking] = useState(false);
  if (!lease.holder) {
    if (!lease.problem) return null;
    return (
      <div class="held" role="alert">
        <p>{lease.problem.text}</p>
        <button type="button" onClick={() => lease.take()}>
          Try again
        </button>
      </div>
    );
  }
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    lease.take(String(new FormData(event.currentTarget as HTMLFormElement).get("reason") ?? ""));
    setBreaking(false);
  };
  return (
    <div class="held" role="status">
      <p>
        In review by <b>{lease.holder}</b>
        {lease.until && ` until ${moment(lease.until).slice(11)}`}.
      </p>
      {!mayBreak ? null : isBreaking ? (
        <form onSubmit={submit}>
          <Field label="Reason">
            <input name="reason" required minLength={5} ref={(input) => input?.focus()} />
          </Field>
          <button type="submit">Take over</button>
        </form>
      ) : (
        <button type="button" onClick={() => setBreaking(true)}>
          Take over…
        </button>
      )}
    </div>
  );
}
