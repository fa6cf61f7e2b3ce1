import { useEffect, useState } from "preact/hooks";
import { api, type Meant } from "../api/client";
import type { Oversight as Meters, OversightRow } from "../api/types";
import { duration, interval } from "../words";
import { Trouble, Waiting } from "./parts";

type Asked = { from: string; to: string; engine: string; finding: string; reader: string };

/** How often readers and engines agree: for whoever answers for quality. The server counts, the page shows. */
export function Oversight() {
  const [asked, setAsked] = useState<Asked>({ from: "", to: "", engine: "", finding: "", reader: "" });
  const [meters, setMeters] = useState<Meters | null>(null);
  const [error, setError] = useState<unknown>(null);
  const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value)).toString();
  useEffect(() => {
    api.oversight(Object.fromEntries(new URLSearchParams(query)) as Meant).then(setMeters, setError);
  }, [query]);
  const change = (name: keyof Asked) => (event: Event) =>
    setAsked({ ...asked, [name]: (event.currentTarget as HTMLInputElement).value });
  const known = (name: "engine" | "finding" | "reader") => [...new Set(meters?.rows.map((row) => row[name]) ?? [])].sort();
  return (
    <div class="plain">
      <header>
        <h1>Oversight</h1>
        <a class="button" href={`/api/oversight.csv?${query}`} download>
          CSV
        </a>
      </header>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        {(["engine", "finding", "reader"] as const).map((name) => (
          <select key={name} aria-label={name} value={asked[name]} onChange={change(name)}>
            <option value="">{name}: all</option>
            {[...new Set([...known(name), ...(asked[name] ? [asked[name]] : [])])].map((value) => (
              <option key={value}>{value}</option>
            ))}
          </select>
        ))}
        {(["from", "to"] as const).map((name) => (
          <label key={name} class="small">
            <span>{name}</span>
            <input type="date" value={asked[name]} onChange={change(name)} />
          </label>
        ))}
      </form>
      {error !== null && <Trouble error={error} />}
      {!meters && error === null && <Waiting />}
      {meters && (meters.rows.length === 0 ? <p class="empty">No decision yet.</p> : <Rows meters={meters} />)}
    </div>
  );
}

function Rows({ meters }: { meters: Meters }) {
  return (
    <div class="scroll">
      <table class="rows numbers">
        <thead>
          <tr>
            {["Finding", "Engine", "Reader", "Confidence"].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
            {["Decided", "Accepted", "Modified", "Rejected", "Missed", "Override rate", "Median time"].map((name) => (
              <th key={name} scope="col" class="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {meters.rows.map((row) => (
            <tr key={[row.engine, row.version, row.finding, row.reader, row.confidence].join()}>
              <td>{row.finding.replaceAll("_", " ")}</td>
              <td class="dim">
                {row.engine} {row.version}
              </td>
              <td>{row.reader}</td>
              <td>{row.confidence}</td>
              <td class="number">{row.n}</td>
              <td class="number">{row.accepted}</td>
              <td class="number">{row.modified}</td>
              <td class="number">{row.rejected}</td>
              <td class="number">{row.missed}</td>
              <td class="number">
                <Rate rate={row.override_rate} />
              </td>
              <td class="number">{duration(row.median_decision_s)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A share with its interval, as a line from 0 to 1 and in figures. */
function Rate({ rate }: { rate: OversightRow["override_rate"] }) {
  if (!rate) return <span class="dim">too few</span>;
  const [value, low, high] = rate.map((share) => share * 100) as [number, number, number];
  return (
    <span class="rate">
      <svg viewBox="0 0 100 10" aria-hidden="true" preserveAspectRatio="none">
        <rect x="0" y="4.5" width="100" height="1" class="rail" />
        <rect x={low} y="3" width={Math.max(0.5, high - low)} height="4" class="reach" />
        <rect x={Math.max(0, value - 0.8)} y="1" width="1.6" height="8" class="point" />
      </svg>
      {interval(rate)}
    </span>
  );
}
