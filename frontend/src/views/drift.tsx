import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { Drift, DriftChart } from "../api/types";
import { capital, plain } from "../words";
import { Control } from "./charts";
import { Trouble, Waiting } from "./parts";

/** Control charts of live results, what has moved first. */
export function DriftRoom() {
  const [drift, setDrift] = useState<Drift | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [engine, setEngine] = useState("");
  useEffect(() => {
    api.drift().then(setDrift, setError);
  }, []);
  if (error !== null) return <Trouble error={error} />;
  if (!drift) return <Waiting />;
  if (drift.charts === null) return <p class="empty">The results are being counted for the first time. Come back in a minute.</p>;
  const versions = [...new Set(drift.charts.map((each) => `${each.engine} ${each.version}`))].sort();
  const charts = drift.charts.filter((each) => engine === "" || engine === `${each.engine} ${each.version}`);
  const begun = charts.filter((each) => each.points.length > 0);
  const gathering = charts.filter((each) => each.points.length === 0);
  return (
    <>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <select aria-label="engine" value={engine} onChange={(event) => setEngine(event.currentTarget.value)}>
          <option value="">engine: all</option>
          {versions.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
        <span class="dim">
          Daily means of live results against their first {drift.baseline_days} days. The band is what chance allows: at most one false alarm in{" "}
          {drift.false_alarm_days} days over all charts together.
        </span>
      </form>
      {charts.length === 0 && <p class="empty">No result yet.</p>}
      {begun.length > 0 && (
        <div class="cards">
          {begun.map((each) => (
            <Card key={[each.engine, each.version, each.what].join()} chart={each} />
          ))}
        </div>
      )}
      {gathering.length > 0 && (
        <section>
          <h2>Still gathering a baseline</h2>
          <ul class="gathering">
            {gathering.map((each) => (
              <li key={[each.engine, each.version, each.what].join()}>
                {capital(plain(each.what))}{" "}
                <span class="dim">
                  {each.engine} {each.version}, day {each.days} of {drift.baseline_days}
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function Card({ chart }: { chart: DriftChart }) {
  const last = chart.points.at(-1)!;
  const title = capital(plain(chart.what));
  const state = last.is_alarm ? "alarm on the last day" : `at ${percent(Math.abs(last.of_limit))} of its limit`;
  const alarms = chart.alarms.length === 0 ? "no alarm" : `${chart.alarms.length === 1 ? "alarm" : `${chart.alarms.length} alarms, the last`} on ${chart.alarms.at(-1)}`;
  return (
    <figure class={`card ${chart.alarms.length > 0 ? "moved" : ""}`}>
      <figcaption>
        <b>{title}</b>
        <span class="dim">
          {chart.engine} {chart.version}
        </span>
        <span class={chart.alarms.length > 0 ? "flag" : "dim"}>{alarms}</span>
      </figcaption>
      <Control label={`${title} of ${chart.engine} ${chart.version}: ${chart.points.length} days, ${state}, ${alarms}`} points={chart.points} />
      <div class="ends dim">
        <span>{chart.points[0]!.day}</span>
        <span>{last.day}</span>
      </div>
      <details>
        <summary>
          {last.day}: {state}
        </summary>
        <p class="dim">
          Baseline {mean(chart, chart.baseline!)}, {chart.baseline_from} to {chart.baseline_to}.
        </p>
        <div class="days" tabIndex={0} role="group" aria-label={`Days of ${title}`}>
          <table class="rows">
            <thead>
              <tr>
                <th scope="col">Day</th>
                <th scope="col" class="number">
                  Studies
                </th>
                <th scope="col" class="number">
                  {chart.unit === "share" ? "Mean" : "Log-odds"}
                </th>
                <th scope="col" class="number">
                  Of limit
                </th>
              </tr>
            </thead>
            <tbody>
              {[...chart.points].reverse().map((point) => (
                <tr key={point.day}>
                  <td>
                    {point.day} {point.is_alarm && <span class="flag">alarm</span>}
                  </td>
                  <td class="number">{point.studies}</td>
                  <td class="number">{mean(chart, point.mean)}</td>
                  <td class="number">{percent(point.of_limit)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function mean(chart: DriftChart, value: number): string {
  return chart.unit === "share" ? percent(value) : value.toFixed(2);
}
