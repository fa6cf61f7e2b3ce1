import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Validation } from "../api/types";
import { moment } from "../words";
import { Trouble, Waiting } from "./parts";

const path = (name: string, file: string) => `/api/validations/${encodeURIComponent(name)}/${file}`;

/** Every validation that is kept, with its head figures. */
export function Validations() {
  const [items, setItems] = useState<Validation[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    api.validations().then((answer) => setItems(answer.items), setError);
  }, []);
  if (error !== null) return <Trouble error={error} />;
  if (!items) return <Waiting />;
  if (items.length === 0) {
    return (
      <p class="empty">
        No validation yet. <code>radiolucent validate --config FILE --engine ENGINE</code> measures an engine on the studies of this house and
        leaves its report here.
      </p>
    );
  }
  return (
    <div class="wide">
      <table class="rows numbers">
        <thead>
          <tr>
            <th scope="col">Report</th>
            <th scope="col">Engine</th>
            {["Images", "Patients", "Refused"].map((name) => (
              <th key={name} scope="col" class="number">
                {name}
              </th>
            ))}
            <th scope="col">AUC of findings that can be judged</th>
            <th scope="col" class="number">
              Groups apart
            </th>
            <th scope="col" class="number">
              Looks elsewhere
            </th>
            <th scope="col">
              <span class="hidden">As a file</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {items.map((each) => (
            <tr key={each.name}>
              <td>
                <a href={`#/oversight/validations/${encodeURIComponent(each.name)}`}>{each.name}</a>
                <div class="dim">{moment(each.made_at)}</div>
              </td>
              <td>
                {each.engine} {each.version}
                {each.change && <div class="flag">{each.change}</div>}
              </td>
              <td class="number">{each.images}</td>
              <td class="number">{each.patients}</td>
              <td class="number">{each.refused}</td>
              <td>
                <Aucs item={each} />
              </td>
              <td class="number">{each.gaps}</td>
              <td class="number">
                {each.elsewhere} <span class="dim">of {each.cells}</span>
              </td>
              <td>{each.has_pdf && <a href={path(each.name, "report.pdf")}>PDF</a>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** One stroke for each finding on a line from 0.5 to 1, and the range in words. */
function Aucs({ item }: { item: Validation }) {
  const judged = item.findings.flatMap((each) => (each.auc ? [{ name: each.display, auc: each.auc[0] }] : [])).sort((a, b) => a.auc - b.auc);
  if (judged.length === 0) return <span class="dim">{item.findings.length === 0 ? "no truth" : "too few"}</span>;
  const [worst, best] = [judged[0]!, judged.at(-1)!];
  const at = (auc: number) => Math.max(0, (auc - 0.5) * 200);
  return (
    <span class="rate">
      <svg viewBox="0 0 100 10" aria-hidden="true" preserveAspectRatio="none">
        <rect x="0" y="4.5" width="100" height="1" class="rail" />
        {judged.map(({ name, auc }) => (
          <rect key={name} x={Math.min(98.8, at(auc))} y="1" width="1.2" height="8" class="point" />
        ))}
      </svg>
      <span>
        {judged.length} of {item.findings.length}
        <span class="dim">
          , {worst.auc.toFixed(2)} ({worst.name.toLowerCase()}) to {best.auc.toFixed(2)} ({best.name.toLowerCase()})
        </span>
      </span>
    </span>
  );
}

/** One report as it was written: a page of its own that runs nothing. */
export function ValidationRoom({ name }: { name: string }) {
  return (
    <div class="report">
      <header>
        <a href="#/oversight/validations">Validations</a>
        <h1>{name}</h1>
        <a class="button" href={path(name, "report.html")} download={`${name}.html`}>
          Save as HTML
        </a>
      </header>
      <iframe src={path(name, "report.html")} title={`Report of the validation ${name}`} sandbox="allow-same-origin" />
    </div>
  );
}
