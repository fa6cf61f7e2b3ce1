import { useEffect, useState } from "preact/hooks";
import { api, type Meant } from "../api/client";
import type { Oversight, OversightRow, Reliance, Reliances } from "../api/types";
import { duration, plain } from "../words";
import { Forest, Rate } from "./charts";
import { Trouble, Waiting } from "./parts";

type Asked = { from: string; to: string; engine: string; finding: string; reader: string };

/** How often readers and engines agree, and whether that is where the engine is right. The server counts, the page shows. */
export function Agreement() {
  const [asked, setAsked] = useState<Asked>({ from: "", to: "", engine: "", finding: "", reader: "" });
  const [meters, setMeters] = useState<Oversight | null>(null);
  const [error, setError] = useState<unknown>(null);
  const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value)).toString();
  useEffect(() => {
    api.oversight(Object.fromEntries(new URLSearchParams(query)) as Meant).then(setMeters, setError);
  }, [query]);
  const change = (name: keyof Asked) => (event: Event) =>
    setAsked({ ...asked, [name]: (event.currentTarget as HTMLInputElement).value });
  const known = (name: "engine" | "finding" | "reader") => [...new Set(meters?.rows.map((row) => row[name]) ?? [])].sort();
  const decided = meters?.rows.filter((row) => row.n + row.missed > 0) ?? [];
  return (
    <>
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
        <a class="button" href={`/api/oversight.csv?${query}`} download>
          CSV
        </a>
      </form>
      {error !== null && <Trouble error={error} />}
      {!meters && error === null && <Waiting />}
      {meters && <Truth reliance={meters.reliance} />}
      {meters && (
        <section>
          <h2>What readers did with findings</h2>
          {decided.length === 0 ? <p class="empty">No decision yet.</p> : <Rows rows={decided} />}
        </section>
      )}
    </>
  );
}

function Truth({ reliance: { engines, rows } }: { reliance: Reliances }) {
  if (engines.length === 0) {
    return (
      <section>
        <h2>Where the truth is known</h2>
        <p class="note">
          Nothing is known yet. <code>radiolucent truth add LABELS.csv</code> brings what pathology or follow-up told; then this place says
          whether readers agree with an engine where it is wrong.
        </p>
      </section>
    );
  }
  const lines = engines.map((each) => ({
    name: `${each.engine} ${each.version}`,
    note: `right ${each.right}, wrong ${each.wrong}`,
    marks: [
      { share: each.agreed_right, kind: "right" as const },
      { share: each.agreed_wrong, kind: "wrong" as const },
    ],
  }));
  return (
    <section>
      <h2>Where the truth is known</h2>
      <p class="note">
        How often the decision said the same as the engine, called or not. Where the engine was <span class="key right">right</span>, agreement is
        good; where it was <span class="key wrong">wrong</span>, it is overreliance: a false alarm let stand, or a miss passed over. Of fewer than
        ten cases no share is told.
      </p>
      <figure>
        <Forest label="Agreement with the engine where it was right and where it was wrong, by engine version" lines={lines} />
      </figure>
      <div class="wide">
        <table class="rows numbers">
          <thead>
            <tr>
              {["Engine", "Finding", "Reader"].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
              {["Engine right", "Agreed", "Engine wrong", "Agreed: overreliance"].map((name) => (
                <th key={name} scope="col" class="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {engines.map((each) => (
              <Relying key={each.engine + each.version} row={each} finding="all findings" reader="all readers" />
            ))}
            {rows.map((each) => (
              <Relying key={[each.engine, each.version, each.finding, each.reader].join()} row={each} finding={plain(each.finding)} reader={each.reader} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Relying({ row, finding, reader }: { row: Reliance; finding: string; reader: string }) {
  return (
    <tr>
      <td class="dim">
        {row.engine} {row.version}
      </td>
      <td>{finding}</td>
      <td>{reader}</td>
      <td class="number">{row.right}</td>
      <td class="number">
        <Rate rate={row.agreed_right} />
      </td>
      <td class="number">{row.wrong}</td>
      <td class="number">
        <Rate rate={row.agreed_wrong} kind="wrong" />
        <div class="dim">{mistakes(row)}</div>
      </td>
    </tr>
  );
}

/** Of which mistakes how many went through: "9 of 10 false alarms, 1 of 2 misses". */
function mistakes(row: Reliance): string {
  const missed = row.wrong - row.false_alarms;
  const called = row.false_alarms > 0 ? [`${row.false_alarms_agreed} of ${row.false_alarms} false alarms`] : [];
  return [...called, ...(missed > 0 ? [`${row.wrong_agreed - row.false_alarms_agreed} of ${missed} misses`] : [])].join(", ");
}

function Rows({ rows }: { rows: OversightRow[] }) {
  return (
    <div class="wide">
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
          {rows.map((row) => (
            <tr key={[row.engine, row.version, row.finding, row.reader, row.confidence].join()}>
              <td>{plain(row.finding)}</td>
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
