import type { StudyView, Vocabulary } from "../api/types";
import { saidOf, statement } from "../decision/draft";
import { capital, moment, plain } from "../words";
import { Key } from "./parts";
import type { Signing } from "./signing";

/** The one act that signs, and what stands in its way. */
export function SignBar({ study, signing }: { study: StudyView; signing: Signing }) {
  const { draft, missing, problem, isUnanswered } = signing;
  return (
    <div class="sign">
      <p class="said-aloud" role="status">
        {signing.said}
      </p>
      {signing.isOpen && (
        <>
          {draft.added.map((added, at) => (
            <p key={at} class="added">
              Added: {added.display}
              <button type="button" class="quiet" onClick={() => signing.removeAdded(at)} aria-label={`Remove ${added.display}`}>
                remove
              </button>
            </p>
          ))}
          {problem && <Refused signing={signing} />}
          {!signing.form && (
            <>
              {signing.isCorrecting && (
                <p class="dim">
                  You correct a signed decision; it stays on record.{" "}
                  <button type="button" class="quiet" disabled={signing.isSending || isUnanswered} onClick={signing.leave}>
                    Leave it as it is
                  </button>
                </p>
              )}
              <div class="last-words">
                <input
                  aria-label="Comment on the study"
                  placeholder="Comment"
                  value={draft.comment}
                  disabled={!signing.mayChange}
                  onInput={(event) => signing.setComment(event.currentTarget.value)}
                />
                <label class="check">
                  <input type="checkbox" checked={draft.isFinal} disabled={!signing.mayChange} onChange={(event) => signing.setFinal(event.currentTarget.checked)} />
                  final
                </label>
              </div>
              <div class="last-acts">
                <button type="button" onClick={() => signing.begin("add", null)} disabled={!signing.mayChange}>
                  Add missed<Key>E</Key>
                </button>
                <button type="button" class="primary" disabled={signing.isSending} onClick={() => void signing.sign()}>
                  {signing.isSending ? "Signing…" : isUnanswered ? "Send again" : study.decision ? "Sign again" : "Sign study"}
                  <Key>⏎</Key>
                </button>
              </div>
              {missing.length > 0 && <p class="dim">{missing.length} of {study.findings.filter((f) => f.positive).length} not assessed yet</p>}
            </>
          )}
        </>
      )}
    </div>
  );
}

const OUTDATED: Record<string, string> = {
  result_superseded: "This result was replaced by a newer one while you read. Nothing was signed.",
  decision_superseded: "Somebody signed another decision while you read. Nothing was signed.",
};

function Refused({ signing }: { signing: Signing }) {
  const { problem, isUnanswered } = signing;
  if (!problem) return null;
  if (isUnanswered) {
    return (
      <div class="trouble" role="alert">
        <p>
          The server did not answer. Your decision is kept on this page, unchanged; sending it again writes it once, even
          if the first try did arrive.
        </p>
      </div>
    );
  }
  const isOutdated = problem.code in OUTDATED;
  return (
    <div class="trouble" role="alert">
      <p>{OUTDATED[problem.code] ?? problem.text}</p>
      {isOutdated && (
        <button type="button" onClick={signing.startAnew}>
          Show what is new
        </button>
      )}
    </div>
  );
}

type SignedProps = { study: StudyView; vocabulary: Vocabulary | null; signing: Signing; mayDecide: boolean };

/** What was signed, by whom; a correction follows it, nothing replaces it. */
export function Signed({ study, vocabulary, signing, mayDecide }: SignedProps) {
  const { decision } = study;
  if (!decision) return null;
  return (
    <section class="signed" role="status">
      <p class="kicker">{decision.is_final ? "Signed, final" : "Signed, preliminary"}</p>
      <h2>{capital(plain(decision.outcome))}</h2>
      <p>
        {decision.reader.display || decision.reader.name}, {moment(decision.signed_at)}
        {decision.second_read && " (second read)"}
      </p>
      <ul class="why">
        {decision.findings.map((said) => (
          <li key={said.engine + said.key} class="for">
            {study.findings.find((f) => f.key === said.key && f.engine === said.engine)?.display ?? said.key}: {saidOf(said, vocabulary)}
          </li>
        ))}
        {decision.added.map((added) => (
          <li key={added.display} class="for">
            {[`${added.display}: added`, ...statement(added)].join("; ")}
          </li>
        ))}
      </ul>
      {decision.comment && <p>{decision.comment}</p>}
      <p class="dim">
        {decision.audit_sequence !== null && `Audit entry ${decision.audit_sequence}. `}
        {decision.deliveries.map(({ destination, state }) => `${destination}: ${state}`).join(", ")}
      </p>
      <div class="last-acts">
        {mayDecide && (
          <button type="button" onClick={signing.correct}>
            Correct…
          </button>
        )}
        <a class="button primary" href="#/">
          Worklist
        </a>
      </div>
    </section>
  );
}
