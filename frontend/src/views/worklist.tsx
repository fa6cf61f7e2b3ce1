import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { api, problemOf, type Problem } from "../api/client";
import type { Item, StudyState, Worklist as List, WorklistQuery } from "../api/types";
import { useKeys } from "../keys";
import { go } from "../route";
import { about, duration, examination, moment, person, plain, probability } from "../words";
import { Filters } from "./filters";
import { Strokes, Trouble, Waiting } from "./parts";

/** Filters outlive a visit to the reading view, not the page. */
let kept: WorklistQuery = { states: ["to_review", "in_review"], limit: 200 };
let keptRow = "";

/** What waits, most urgent first, as the server orders it. */
export function Worklist() {
  const [query, setQuery] = useState(kept);
  const [list, setList] = useState<List | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isLive, setLive] = useState(true);
  const asked = useRef(0);
  const refresh = useCallback(() => {
    const number = ++asked.current;
    api.worklist(kept).then(
      (found) => {
        if (number !== asked.current) return;
        setList(found);
        setProblem(null);
      },
      (error: unknown) => setProblem(problemOf(error)),
    );
  }, []);
  useEffect(() => {
    kept = query;
    const soon = setTimeout(refresh, query.text ? 200 : 0);
    return () => clearTimeout(soon);
  }, [query, refresh]);
  useEffect(() => listenToChanges(refresh, setLive), [refresh]);
  useEffect(() => void import("./reading").then((room) => room.warmUp()), []);
  return (
    <div class="worklist">
      <Waits list={list} isLive={isLive} />
      <Filters query={query} list={list} onQuery={setQuery} />
      {problem && <Trouble error={problem} onRetry={refresh} />}
      {!list && !problem && <Waiting />}
      {list && <Rows items={list.items} />}
    </div>
  );
}

/** The server ends a stream after a while and is asked again at once; what lasts longer is told. */
const AWAY_MS = 10_000;

/** The server says that something changed, never what. */
function listenToChanges(then: () => void, setLive: (isLive: boolean) => void): () => void {
  const source = new EventSource("/api/events");
  let pending = 0;
  let away = 0;
  source.addEventListener("worklist", () => {
    clearTimeout(pending);
    pending = window.setTimeout(then, 150);
  });
  source.addEventListener("open", () => {
    clearTimeout(away);
    away = 0;
    setLive(true);
  });
  source.addEventListener("error", () => {
    away ||= window.setTimeout(() => setLive(false), AWAY_MS);
  });
  const minute = setInterval(then, 60_000);
  return () => {
    source.close();
    clearTimeout(pending);
    clearTimeout(away);
    clearInterval(minute);
  };
}

function Waits({ list, isLive }: { list: List | null; isLive: boolean }) {
  const oldest = list?.oldest_waiting_s;
  return (
    <div class="waits" role="status">
      <h1>{list ? (list.waiting === 0 ? "Nothing waits" : `${list.waiting} waiting`) : "Worklist"}</h1>
      {list && list.waiting > 0 && oldest !== null && <span class="dim">oldest {duration(oldest)}</span>}
      {!isLive && <span class="caution">No live updates: the connection is away.</span>}
    </div>
  );
}

function Rows({ items }: { items: Item[] }) {
  const table = useRef<HTMLTableElement>(null);
  const links = () => [...(table.current?.querySelectorAll<HTMLAnchorElement>("a.open") ?? [])];
  const step = (by: number) => {
    const all = links();
    const at = all.findIndex((link) => link === document.activeElement);
    const from = at < 0 ? all.findIndex((link) => link.dataset["key"] === keptRow) - (by > 0 ? 1 : -1) : at;
    all[Math.max(0, Math.min(all.length - 1, (at < 0 && from < 0 ? -1 : from) + by))]?.focus();
  };
  const open = () => {
    const link = links().find((found) => found.dataset["key"] === keptRow) ?? links()[0];
    if (link) go(`study/${link.dataset["key"]}`);
  };
  useKeys([
    { key: "j", label: "Next study", group: "Worklist", run: () => step(1) },
    { key: "k", label: "Previous study", group: "Worklist", run: () => step(-1) },
    { key: "ArrowDown", label: "Next study", group: "Worklist", run: () => step(1), hidden: true },
    { key: "ArrowUp", label: "Previous study", group: "Worklist", run: () => step(-1), hidden: true },
    { key: "Enter", label: "Open the study", group: "Worklist", run: open },
  ]);
  if (items.length === 0) return <p class="empty">No study matches.</p>;
  return (
    <div class="scroll">
      <table class="rows" ref={table}>
        <thead>
          <tr>
            <th scope="col">Waits</th>
            <th scope="col">Finding</th>
            <th scope="col">Patient</th>
            <th scope="col">Study</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <Row key={item.study_key} item={item} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ item }: { item: Item }) {
  return (
    <tr class={item.critical ? "critical" : ""} onClick={() => go(`study/${item.study_key}`)}>
      <td class="wait">
        {item.priority === "stat" && <span class="stat">STAT</span>}
        <span>{duration(item.waiting_s)}</span>
      </td>
      <td class="finding">
        <a
          class="open"
          href={`#/study/${encodeURIComponent(item.study_key)}`}
          data-key={item.study_key}
          onFocus={() => void (keptRow = item.study_key)}
        >
          <Primary item={item} />
        </a>
      </td>
      <td>
        <div>{person(item.patient.name)}</div>
        <div class="dim">
          {[item.patient.id, about(item.patient)].filter(Boolean).join(" · ")}
        </div>
      </td>
      <td>
        <div>{examination(item)}</div>
        <div class="dim">
          {[moment(item.studied_at), item.accession_number && `acc ${item.accession_number}`, item.has_prior && "has prior"]
            .filter(Boolean)
            .join(" · ")}
        </div>
      </td>
      <td class="state">
        <div>{plain(item.decided?.outcome ?? item.state)}</div>
        <div class="dim">{standing(item)}</div>
      </td>
    </tr>
  );
}

/** Who has it, who decided it, or why nobody can. */
function standing(item: Item): string | undefined {
  if (item.lease) return `${item.lease.holder} until ${moment(item.lease.until).slice(11)}`;
  return item.decided ? `${item.decided.by} · ${moment(item.decided.at)}` : item.state_reason?.text;
}

const WITHOUT_FINDING: Partial<Record<StudyState, string>> = {
  received: "being received",
  processing: "being read",
  not_processed: "not processed",
  refused: "refused",
  quarantined: "needs an operator",
};

function Primary({ item }: { item: Item }) {
  const { primary } = item;
  if (!primary) {
    const words = WITHOUT_FINDING[item.state] ?? (item.ai_hidden ? "read first" : "nothing over threshold");
    return <span class="dim">{words}</span>;
  }
  const more = item.positives > 1 ? ` · ${item.positives - 1} more` : "";
  return (
    <>
      {item.critical && <span class="critical-word">Critical</span>}
      <span class="name">{primary.display}</span>
      <span class="dim">{[primary.zone, more.slice(3)].filter(Boolean).join(" · ")}</span>
      <span class="chance">
        {probability(primary.probability)} <span class="dim">{primary.confidence}</span>{" "}
        <Strokes confidence={primary.confidence} />
      </span>
      {item.flags.length > 0 && <span class="flag">{item.flags.map(plain).join(", ")}</span>}
    </>
  );
}
