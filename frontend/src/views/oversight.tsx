import { Agreement } from "./agreement";
import { DriftRoom } from "./drift";
import { ValidationRoom, Validations } from "./validations";

const PLACES = [
  { place: "", label: "Agreement" },
  { place: "drift", label: "Drift" },
  { place: "validations", label: "Validations" },
];

/** For whoever answers for quality: how readers and engines agree, what moves, and how engines did on our own patients. */
export function Oversight({ place, name }: { place: string; name: string }) {
  if (place === "validations" && name !== "") return <ValidationRoom name={name} />;
  return (
    <div class="plain long">
      <header>
        <h1>Oversight</h1>
        <nav class="places" aria-label="Oversight">
          {PLACES.map((each) => (
            <a key={each.place} href={`#/oversight/${each.place}`} aria-current={each.place === place ? "page" : undefined}>
              {each.label}
            </a>
          ))}
        </nav>
      </header>
      {place === "drift" ? <DriftRoom /> : place === "validations" ? <Validations /> : <Agreement />}
    </div>
  );
}
