import { useCallback, useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { AuditEntry, AuditLines } from "../api/types";
import { capital, moment, plain } from "../words";
import { Trouble, Waiting } from "./parts";

const PAGE = 100;

/** What more an entry says, in the order of its names. */
function details({ details }: AuditEntry): string {
  return Object.entries(details ?? {})
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([name, value]) => `${plain(name)} ${value}`)
    .join(" · ");
}

/** Who did what. The chain is checked by the server, on request. */
export function Audit() {
  const [log, setLog] = useState<AuditLines | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [from, setFrom] = useState<number | null>(null);
  const [verified, setVerified] = useState<string>("");
  const load = useCallback(() => {
    api.audit({ limit: PAGE, ...(from === null ? {} : { from_sequence: from }) }).then(setLog, setError);
  }, [from]);
  useEffect(load, [load]);
  const verify = () => {
    setVerified("Checking…");
    api.verifyAudit().then(
      (answer) => setVerified(answer.verified ? "Every entry is as it was written." : "Something was changed: run `radiolucent audit verify`."),
      setError,
    );
  };
  const first = log?.entries.reduce((least, entry) => Math.min(least, entry.sequence), Infinity) ?? 0;
  return (
    <div class="plain">
      <header>
        <h1>Audit</h1>
        <span role="status">{verified}</span>
        <button type="button" onClick={verify}>
          Verify the chain
        </button>
      </header>
      {error !== null && <Trouble error={error} />}
      {!log && error === null && <Waiting />}
      {log && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Entries">
          <table class="rows">
            <thead>
              <tr>
                {["Entry", "When", "Who", "What", "Outcome", "Details"].map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {[...log.entries].reverse().map((entry) => (
                <tr key={entry.sequence}>
                  <td class="number">{entry.sequence}</td>
                  <td>{moment(entry.at)}</td>
                  <td>{entry.actor}</td>
                  <td>{capital(plain(entry.action))}</td>
                  <td>{plain(entry.outcome)}</td>
                  <td class="dim details">{details(entry)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {log && (
        <p class="last-acts">
          <button type="button" disabled={first <= 1} onClick={() => setFrom(Math.max(1, first - PAGE))}>
            Earlier
          </button>
          <button type="button" disabled={from === null} onClick={() => setFrom(null)}>
            Latest
          </button>
        </p>
      )}
    </div>
  );
}
