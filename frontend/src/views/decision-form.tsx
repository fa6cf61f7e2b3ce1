import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Confidence, Image, Point, Region, StudyView, Vocabulary } from "../api/types";
import { useKeys } from "../keys";
import { Field, Key } from "./parts";
import type { Form, Signing } from "./signing";

type Props = { study: StudyView; vocabulary: Vocabulary | null; signing: Signing; form: Form; image: Image | null };
const TITLES = { reject: "Reject", modify: "Modify", add: "Add a missed finding" };
const SAID: Record<Form["kind"], string> = { reject: "rejected", modify: "modified", add: "added" };

/** Why a finding is wrong, what it is instead, or what was missed. */
export function DecisionForm({ study, vocabulary, signing, form, image }: Props) {
  const [confidence, setConfidence] = useState<Confidence | "">("");
  const first = useRef<HTMLSelectElement>(null);
  useLayoutEffect(() => {
    first.current?.focus();
    first.current?.form?.scrollIntoView({ block: "nearest" });
  }, []);
  const { finding, kind } = form;
  const reasons = vocabulary?.reasons.filter((reason) => reason.for.length === 0 || reason.for.includes(SAID[kind])) ?? [];
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const said = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(said.get(name) ?? "");
    const chosen = vocabulary?.findings.find((one) => `${one.engine}/${one.key}` === text("finding"));
    const regions = form.region ? [form.region] : [];
    const changed = {
      key: chosen?.key ?? null,
      display: chosen?.display ?? text("words"),
      confidence: confidence || null,
      comment: "",
      regions,
    };
    const more = { reason_code: text("reason") || null, comment: text("comment") };
    if (kind === "reject" && finding) signing.reject(finding, more);
    else if (kind === "modify" && finding) {
      const kept = chosen ? changed : { ...changed, key: finding.key, display: finding.display };
      signing.modify(finding, { ...more, changed: kept });
    } else signing.add({ ...changed, comment: more.comment });
  };
  return (
    <form class="decision" onSubmit={submit} aria-label={TITLES[kind]}>
      <h3>
        {TITLES[kind]}
        {finding && ` ${finding.display.toLowerCase()}`}
      </h3>
      {kind !== "reject" && <Which {...{ study, vocabulary, form }} focus={first} />}
      {kind !== "reject" && <Sure confidence={confidence} onConfidence={setConfidence} />}
      {kind !== "reject" && <Where signing={signing} form={form} image={image} />}
      {kind !== "add" && (
        <Field label="Reason">
          <select name="reason" required ref={kind === "reject" ? first : undefined}>
            <option value="">Choose…</option>
            {reasons.map((reason) => (
              <option key={reason.code} value={reason.code}>
                {reason.display}
              </option>
            ))}
          </select>
        </Field>
      )}
      <Field label="Comment">
        <textarea name="comment" rows={2} />
      </Field>
      <div class="last-acts">
        <button type="button" onClick={signing.closeForm}>
          Cancel<Key>Esc</Key>
        </button>
        <button type="submit" class="primary">
          Keep
        </button>
      </div>
    </form>
  );
}

function Which({ study, vocabulary, form, focus }: Pick<Props, "study" | "vocabulary" | "form"> & { focus: { current: HTMLSelectElement | null } }) {
  const own = new Set(study.engines.map((engine) => engine.id));
  const [value, setValue] = useState(form.finding ? `${form.finding.engine}/${form.finding.key}` : "");
  const findings = vocabulary?.findings.filter((one) => own.size === 0 || own.has(one.engine)) ?? [];
  return (
    <>
      <Field label="Finding">
        <select name="finding" ref={focus} value={value} onChange={(event) => setValue(event.currentTarget.value)}>
          {form.kind === "add" && <option value="">In my own words</option>}
          {findings.map((one) => (
            <option key={`${one.engine}/${one.key}`} value={`${one.engine}/${one.key}`}>
              {one.display}
            </option>
          ))}
        </select>
      </Field>
      {value === "" && (
        <Field label="In words">
          <input name="words" required />
        </Field>
      )}
    </>
  );
}

function Sure({ confidence, onConfidence }: { confidence: Confidence | ""; onConfidence: (word: Confidence | "") => void }) {
  return (
    <fieldset class="chips">
      <legend>Confidence</legend>
      {(["", "high", "moderate", "low"] as const).map((word) => (
        <button key={word} type="button" aria-pressed={confidence === word} onClick={() => onConfidence(word)}>
          {word || "as it is"}
        </button>
      ))}
    </fieldset>
  );
}

const NUDGES: Record<string, Point> = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** The region: drawn with the pointer, or a box that the arrow keys move and, with Shift, resize. */
function Where({ signing, form, image }: Pick<Props, "signing" | "form" | "image">) {
  const { region } = form;
  const nudge = (key: string, isSize: boolean) => image && signing.setRegion(nudged(region ?? middle(image), key, isSize, image));
  useKeys(
    Object.keys(NUDGES).flatMap((key) => [
      { key, label: "Move the region", group: "Decide", run: () => nudge(key, false), shift: false, hidden: key !== "ArrowUp" },
      { key, label: "Resize the region", group: "Decide", run: () => nudge(key, true), shift: true, hidden: key !== "ArrowUp" },
    ]),
  );
  return (
    <fieldset class="chips">
      <legend>Region</legend>
      <button type="button" aria-pressed={signing.drawing === "box"} onClick={() => signing.setDrawing("box")}>
        Box<Key>B</Key>
      </button>
      <button type="button" aria-pressed={signing.drawing === "polygon"} onClick={() => signing.setDrawing("polygon")}>
        Outline<Key>O</Key>
      </button>
      <button type="button" disabled={!image} onClick={() => image && signing.setRegion(middle(image))}>
        Centre
      </button>
      <button type="button" disabled={!region} onClick={() => signing.setRegion(null)}>
        None
      </button>
      <small role="status">
        {region ? said(region) : "No region."} Draw on the image, or move it with the arrow keys (Shift resizes).
      </small>
    </fieldset>
  );
}

function said(region: Region): string {
  const rows = region.points.map((point) => point[0]);
  const columns = region.points.map((point) => point[1]);
  const span = (values: number[]) => `${Math.round(Math.min(...values))}–${Math.round(Math.max(...values))}`;
  return `Rows ${span(rows)}, columns ${span(columns)}.`;
}

/** A box of a fifth of the image in its middle. */
function middle(image: Image): Region {
  const [row, column] = [image.rows / 2, image.columns / 2];
  return {
    image_key: image.image_key,
    kind: "box",
    points: [
      [Math.round(row - image.rows / 10), Math.round(column - image.columns / 10)],
      [Math.round(row + image.rows / 10), Math.round(column + image.columns / 10)],
    ],
  };
}

function nudged(region: Region, key: string, isSize: boolean, image: Image): Region {
  const by = NUDGES[key] ?? [0, 0];
  const step = Math.max(1, Math.round(Math.max(image.rows, image.columns) / 100));
  const points = region.points.map((point, at): Point => {
    if (isSize && (region.kind !== "box" || at === 0)) return point;
    return [clamp(point[0] + by[0] * step, image.rows), clamp(point[1] + by[1] * step, image.columns)];
  });
  return { ...region, points };
}

function clamp(value: number, size: number): number {
  return Math.max(0, Math.min(size - 1, value));
}

