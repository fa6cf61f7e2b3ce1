import { useRef } from "preact/hooks";
import type { StudyState, Worklist, WorklistQuery } from "../api/types";
import { useKeys } from "../keys";
import { plain } from "../words";

const STATES: StudyState[] = [
  "to_review",
  "in_review",
  "decided",
  "received",
  "processing",
  "not_processed",
  "refused",
  "quarantined",
];
const CONFIDENCES = ["high", "moderate", "low"];
type Props = { query: WorklistQuery; list: Worklist | null; onQuery: (query: WorklistQuery) => void };

/** What to show of the worklist. The words searched for travel in the body, not in an address. */
export function Filters({ query, list, onQuery }: Props) {
  const search = useRef<HTMLInputElement>(null);
  useKeys([{ key: "/", label: "Search", group: "Worklist", run: () => search.current?.focus() }]);
  const one = (name: "engines" | "findings" | "confidences" | "flags") => (event: Event) => {
    const { value } = event.currentTarget as HTMLSelectElement;
    const { [name]: _, ...rest } = query;
    onQuery(value ? { ...rest, [name]: [value] } : rest);
  };
  const dated = (name: "since" | "until") => (event: Event) => {
    const { value } = event.currentTarget as HTMLInputElement;
    onQuery({ ...query, [name]: value ? new Date(`${value}T${name === "since" ? "00:00:00" : "23:59:59"}`).toISOString() : null });
  };
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <input
        ref={search}
        type="search"
        aria-label="Search name, number or description"
        placeholder="Search  /"
        autocomplete="off"
        value={query.text ?? ""}
        onInput={(event) => onQuery({ ...query, text: event.currentTarget.value })}
        onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
      />
      <States query={query} list={list} onQuery={onQuery} />
      <div class="choices">
      <Choice label="Finding" value={query.findings?.[0]} onChange={one("findings")}
        options={list?.findings.map(({ key, display }) => [key, display] as const) ?? []} />
      <Choice label="Engine" value={query.engines?.[0]} onChange={one("engines")}
        options={list?.engines.map((id) => [id, id] as const) ?? []} />
      <Choice label="Confidence" value={query.confidences?.[0]} onChange={one("confidences")}
        options={CONFIDENCES.map((word) => [word, word] as const)} />
      <Choice label="Flag" value={query.flags?.[0]} onChange={one("flags")}
        options={list?.flags.map((code) => [code, plain(code)] as const) ?? []} />
      <label class="small">
        <span>From</span>
        <input type="date" onChange={dated("since")} />
      </label>
      <label class="small">
        <span>to</span>
        <input type="date" onChange={dated("until")} />
      </label>
      </div>
    </form>
  );
}

function States({ query, list, onQuery }: Props) {
  const chosen = query.states ?? [];
  const turn = (state: StudyState) =>
    onQuery({ ...query, states: chosen.includes(state) ? chosen.filter((s) => s !== state) : [...chosen, state] });
  return (
    <fieldset class="chips">
      <legend class="hidden">States</legend>
      {STATES.map((state) => (
        <button key={state} type="button" aria-pressed={chosen.includes(state)} onClick={() => turn(state)}>
          {plain(state)} <span class="count">{list?.counts[state] ?? 0}</span>
        </button>
      ))}
    </fieldset>
  );
}

type ChoiceProps = {
  label: string;
  value: string | undefined;
  options: (readonly [string, string])[];
  onChange: (event: Event) => void;
};

function Choice({ label, value, options, onChange }: ChoiceProps) {
  return (
    <select aria-label={label} value={value ?? ""} onChange={onChange}>
      <option value="">{label}: all</option>
      {options.map(([key, display]) => (
        <option key={key} value={key}>
          {display}
        </option>
      ))}
    </select>
  );
}
