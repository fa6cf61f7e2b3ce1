import { useEffect, useRef, useState } from "preact/hooks";
import type { Engine, Finding, StudyView, Vocabulary } from "../api/types";
import { assessmentOf, nameOf, saidOf } from "../decision/draft";
import { useKeys } from "../keys";
import { capital, date, interval, moment, plain, probability } from "../words";
import { DecisionForm } from "./decision-form";
import type { Holding } from "./lease";
import type { Looking } from "./looking";
import { Opinion } from "./opinion";
import { Key, Strokes } from "./parts";
import { SignBar, Signed } from "./sign-bar";
import type { Signing } from "./signing";
import { Again } from "./again";
import { Held } from "./held";

/** What a study without a positive finding comes to: four different outputs. */
const OUTCOMES: Record<string, string> = {
  nothing_found: "Nothing over threshold",
  refused: "Not read",
  not_processed: "Not processed",
  retracted: "Result taken back",
};

export type PanelProps = {
  study: StudyView;
  vocabulary: Vocabulary | null;
  finding: Finding | null;
  looking: Looking;
  signing: Signing;
  lease: Holding;
  mayDecide: boolean;
  mayBreak: boolean;
  may: (permission: string) => boolean;
  onStudy: (study: StudyView) => void;
};

/** The words beside the images: one finding, why, the three keys; then the rest, quiet. */
export function Panel(props: PanelProps) {
  const { study, vocabulary, finding, looking, signing, lease, mayBreak, onStudy } = props;
  const image = looking.images[looking.place.index]?.image_key ?? null;
  useKeys(
    finding && !signing.form
      ? [
          { key: "a", label: "Accept the finding", group: "Decide", run: () => void signing.accept(finding) },
          { key: "m", label: "Modify the finding", group: "Decide", run: () => signing.begin("modify", finding, image) },
          { key: "x", label: "Reject the finding", group: "Decide", run: () => signing.begin("reject", finding) },
          { key: "e", label: "Add a missed finding", group: "Decide", run: () => signing.begin("add", null) },
        ]
      : signing.form
        ? []
        : [{ key: "e", label: "Add a missed finding", group: "Decide", run: () => signing.begin("add", null) }],
  );
  const words = useRef<HTMLDivElement>(null);
  useEffect(() => words.current?.scrollTo({ top: 0 }), [study.decision?.decision_id]);
  if (study.ai_hidden) {
    return (
      <aside class="panel" aria-label="Your reading">
        <Held lease={lease} mayBreak={mayBreak} />
        <Opinion study={study} vocabulary={vocabulary} onStudy={onStudy} />
      </aside>
    );
  }
  return (
    <aside class="panel" aria-label="Findings">
      <div class="words" ref={words}>
        <Held lease={lease} mayBreak={mayBreak} />
        {study.decision && !signing.isCorrecting && <Signed {...{ study, vocabulary, signing }} mayDecide={props.mayDecide} />}
        {finding ? <One {...props} finding={finding} image={image} /> : <Nothing study={study} />}
        {signing.form && (
          <DecisionForm key={`${signing.form.kind}${finding?.key}`} study={study} vocabulary={vocabulary} signing={signing} form={signing.form} image={looking.images[looking.place.index] ?? null} />
        )}
        <Others study={study} looking={looking} signing={signing} finding={finding} />
        <Changes study={study} />
        <About study={study} finding={finding} />
        <Again study={study} may={props.may} />
      </div>
      <SignBar study={study} signing={signing} />
    </aside>
  );
}

function One({ study, vocabulary, finding, signing, image }: PanelProps & { finding: Finding; image: number | null }) {
  const positives = study.findings.filter((one) => one.positive);
  const at = positives.indexOf(finding) + 1;
  const place = at > 0 ? `${at} of ${positives.length} ${positives.length === 1 ? "finding" : "findings"}` : "below threshold";
  const said = assessmentOf(signing.draft, finding);
  return (
    <section class="one">
      <p class={finding.critical && finding.positive ? "critical-word" : "kicker"}>
        {study.decision && !signing.isCorrecting ? "The engine said · " : finding.critical && finding.positive ? "Critical · " : ""}
        {place}
      </p>
      <h2>{[finding.display, finding.zone].filter(Boolean).join(", ")}</h2>
      <div class="score">
        <span class="number" title={`threshold ${probability(finding.threshold)}`}>
          {probability(finding.probability)}
        </span>
        <span>
          confidence {finding.confidence} <Strokes confidence={finding.confidence} />
        </span>
      </div>
      <Why finding={finding} />
      {said && said.assessment !== "accepted" && !signing.form && <p class="yours">You: {saidOf(said, vocabulary)}</p>}
      {signing.isOpen && finding.positive && !signing.form && (
        <div class="acts">
          <button type="button" aria-pressed={said?.assessment === "accepted"} disabled={!signing.mayChange} onClick={() => signing.accept(finding)}>
            Accept<Key>A</Key>
          </button>
          <button type="button" aria-pressed={said?.assessment === "modified"} disabled={!signing.mayChange} onClick={() => signing.begin("modify", finding, image)}>
            Modify<Key>M</Key>
          </button>
          <button type="button" aria-pressed={said?.assessment === "rejected"} disabled={!signing.mayChange} onClick={() => signing.begin("reject", finding)}>
            Reject<Key>X</Key>
          </button>
        </div>
      )}
    </section>
  );
}

function Why({ finding }: { finding: Finding }) {
  const cautions = finding.reasons.filter((reason) => reason.kind === "caution");
  const inside = finding.in_expected_region;
  return (
    <>
      <h3>Why</h3>
      <ul class="why">
        {finding.reasons.filter((reason) => reason.kind === "for").map((reason) => (
          <li key={reason.text} class="for">
            {reason.text}
          </li>
        ))}
        {cautions.map((reason) => (
          <li key={reason.text} class="caution">
            {reason.text}
          </li>
        ))}
        {finding.reasons.length === 0 &&
          finding.flags.map((flag) => (
            <li key={flag.code} class="caution">
              {flag.text || plain(flag.code)}
            </li>
          ))}
        {finding.reasons.length === 0 && inside !== null && (
          <li class="for">{Math.round(inside * 100)} % of the evidence lies in the expected region</li>
        )}
      </ul>
    </>
  );
}

function Nothing({ study }: { study: StudyView }) {
  return (
    <section class="one">
      <p class="kicker">{plain(study.state)}</p>
      <h2>{OUTCOMES[study.status] ?? "No result"}</h2>
      {study.impression && <p>{study.impression}</p>}
      <ul class="why">
        {study.refusals.map((refusal) => (
          <li key={refusal.code + refusal.text} class="caution">
            {refusal.text} <code>{refusal.code}</code>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Others({ study, looking, signing, finding }: Pick<PanelProps, "study" | "looking" | "signing" | "finding">) {
  const [isUnfolded, setUnfolded] = useState(false);
  const positives = study.findings.filter((one) => one.positive);
  const below = study.findings.filter((one) => !one.positive);
  if (positives.length < 2 && below.length === 0) return null;
  return (
    <section>
      <h3>{positives.length > 1 ? "Reported, by rank" : "Also looked for"}</h3>
      <ul class="others">
        {positives.length > 1 && positives.map((one) => <Other key={nameOf(one)} {...{ one, looking, signing }} isActive={one === finding} />)}
        {below.length > 0 && (
          <li>
            <button type="button" class="quiet fold" aria-expanded={isUnfolded} onClick={() => setUnfolded((now) => !now)}>
              <span>{below.length} below threshold</span>
              <span>{isUnfolded ? "hide" : "show"}</span>
            </button>
          </li>
        )}
        {isUnfolded && below.map((one) => <Other key={nameOf(one)} {...{ one, looking, signing }} isActive={one === finding} />)}
      </ul>
    </section>
  );
}

function Other({ one, looking, signing, isActive }: { one: Finding; looking: Looking; signing: Signing; isActive: boolean }) {
  const said = assessmentOf(signing.draft, one);
  return (
    <li>
      <button type="button" class={`quiet other ${one.positive ? "" : "off"}`} aria-current={isActive ? "true" : undefined} onClick={() => looking.choose(nameOf(one))}>
        <span>{[one.display, one.positive && one.zone].filter(Boolean).join(", ")}</span>
        <span class="said">{said ? said.assessment : ""}</span>
        <span>{probability(one.probability)}</span>
        <span>{one.positive ? one.confidence : ""}</span>
      </button>
    </li>
  );
}

function Changes({ study }: { study: StudyView }) {
  const prior = study.priors[0];
  if (!prior) return null;
  return (
    <section>
      <h3>What the engines say since {date(prior.studied_at)}</h3>
      {study.changes.length === 0 ? (
        <p class="dim">To be looked at beside; no finding was compared.</p>
      ) : (
        <table class="changes">
          <tbody>
            {study.changes.map((change) => (
              <tr key={change.key} title={[...change.reasons, ...change.cautions].join("; ")}>
                <th scope="row">{change.display}</th>
                <td>{plain(change.change)}</td>
                <td class="dim">
                  {change.prior_probability === null ? "–" : probability(change.prior_probability)} →{" "}
                  {change.current_probability === null ? "–" : probability(change.current_probability)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function About({ study, finding }: { study: StudyView; finding: Finding | null }) {
  const engines = finding ? study.engines.filter((engine) => engine.id === finding.engine) : study.engines;
  return (
    <section class="about">
      {engines.map((engine) => (
        <details key={engine.id}>
          <summary>
            {engine.id} {engine.version} · {engine.population}
            {finding && <Metrics engine={engine} finding={finding} />}
          </summary>
          <p>{capital(engine.intended_use)}</p>
          {engine.not_for && <p>Not for: {engine.not_for}</p>}
          {finding && finding.maps.length === 0 && <p>Map: {plain(finding.map_status)}</p>}
          <p class="hash">{engine.sha256.slice(0, 16)}</p>
        </details>
      ))}
      {study.delivered.length > 0 && (
        <p class="dim">Sent: {study.delivered.map(({ destination, state }) => `${destination} ${state}`).join(", ")}</p>
      )}
      {study.decision && <p class="dim">Decided {moment(study.decision.signed_at)}</p>}
    </section>
  );
}

function Metrics({ engine, finding }: { engine: Engine; finding: Finding }) {
  const figures = engine.metrics[finding.key];
  if (!figures) return null;
  return (
    <span>
      {" · "}sensitivity {interval(figures.sensitivity)}, specificity {interval(figures.specificity)}
      {figures.n_positive !== null && `, ${figures.n_positive} positive`}
    </span>
  );
}
