/** How the page says numbers and times. Nothing here is computed from pixels or findings. */

const DAY_S = 86_400;

/** "6 min", "2 h 05", "3 d". */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < DAY_S) return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}`;
  return `${Math.floor(seconds / DAY_S)} d`;
}

/** "2026-11-23 09:41" in the reader's own zone; a date alone stays a date. */
export function moment(iso: string | null | undefined): string {
  if (!iso) return "";
  if (!iso.includes("T")) return iso;
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : `${day(at)} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** "2026-11-23". */
export function date(iso: string | null | undefined): string {
  return moment(iso).slice(0, 10);
}

function day(at: Date): string {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}

/** A DICOM person name for people: "PHANTOM, Chest". */
export function person(name: string): string {
  const [family = "", given = ""] = name.split("=")[0]!.split("^");
  return given ? `${family}, ${given}` : family || "no name";
}

export function about(patient: { age_years: number | null; sex: string }): string {
  const age = patient.age_years === null ? "" : `${Math.floor(patient.age_years)} y`;
  return [age, patient.sex].filter(Boolean).join(" ");
}

/** A probability with two digits, as it was given. */
export function probability(value: number): string {
  return value.toFixed(2);
}

/** "0.89 [0.84-0.93]". */
export function interval(value: [number, number, number] | null | undefined): string {
  if (!value) return "not measured";
  return `${value[0].toFixed(2)} [${value[1].toFixed(2)}–${value[2].toFixed(2)}]`;
}

/** "to_review" as people say it. */
export function plain(name: string): string {
  return name.replaceAll("_", " ");
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Kind and description, the kind once: "CT head without contrast". */
export function examination(study: { modality: string; description: string; body_part: string }): string {
  const words = study.description || study.body_part;
  const isSaid = words.toUpperCase().split(/[^A-Z0-9]+/).includes(study.modality.toUpperCase());
  return isSaid ? words : [study.modality, words].filter(Boolean).join(" ");
}
