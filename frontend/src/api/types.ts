/** What the server says and hears, by the names the page uses. */

export type Code = { code: string; text: string };
export type Session = {
  user: { name: string; display: string; roles: string[]; sites: string[]; totp: boolean };
  permissions: string[];
  csrf: string;
  idle_s: number;
  expires_at: string;
  must_enrol_totp: boolean;
};
export type Door = { product: string; version: string; oidc: null | { title: string }; has_users: boolean; notice: string };
export type StudyState =
  | "received"
  | "processing"
  | "to_review"
  | "in_review"
  | "decided"
  | "not_processed"
  | "refused"
  | "quarantined";
export type Confidence = "high" | "moderate" | "low";
export type Patient = { name: string; id: string; birth_date: string; sex: string; age_years: number | null };
export type Item = {
  study_key: string;
  state: StudyState;
  state_reason: null | Code;
  priority: "stat" | "routine";
  critical: boolean;
  rank: number | null;
  patient: Patient;
  accession_number: string;
  modality: string;
  body_part: string;
  description: string;
  studied_at: string | null;
  received_at: string;
  waiting_s: number | null;
  primary: null | { key: string; display: string; probability: number; confidence: Confidence; zone: string | null };
  positives: number;
  ai_hidden?: boolean;
  flags: string[];
  lease: null | { holder: string; until: string };
  site: string;
  has_prior: boolean;
};
export type Worklist = {
  version: number;
  items: Item[];
  counts: Partial<Record<StudyState, number>>;
  waiting: number;
  oldest_waiting_s: number | null;
  engines: string[];
  findings: { key: string; display: string }[];
  flags: string[];
};
export type WorklistQuery = {
  states?: StudyState[];
  engines?: string[];
  findings?: string[];
  confidences?: string[];
  flags?: string[];
  since?: string | null;
  until?: string | null;
  text?: string;
  limit?: number;
};
export type Image = {
  image_key: number;
  frames_url: string;
  frame: number;
  rows: number;
  columns: number;
  bits_allocated: number;
  bits_stored: number;
  is_signed: boolean;
  photometric: string;
  slope: number;
  intercept: number;
  window: null | { center: number; width: number };
  voi_function: string;
  pixel_spacing_mm: null | [number, number];
  spacing_kind: string;
  laterality: string | null;
  view: string | null;
  position_mm: null | number[];
  orientation: null | number[];
  evidence: Record<string, number>;
};
export type Series = { series_key: number; modality: string; description: string; images: Image[] };
export type Point = [number, number];
export type FindingMap = {
  image_key: number;
  url: string;
  rows: number;
  columns: number;
  /** Whether any place reaches the threshold of the scale. */
  is_painted: boolean;
  scale: { threshold: number; strong: number; unit: string };
  peak: Point | null;
  box: null | [number, number, number, number];
  contours: Point[][];
  completeness_error: number | null;
};
export type Finding = {
  engine: string;
  key: string;
  display: string;
  code: { scheme: string; value: string; meaning: string };
  rank: number;
  critical: boolean;
  alert: boolean;
  positive: boolean;
  probability: number;
  threshold: number;
  confidence: Confidence;
  reasons: { kind: "for" | "caution"; text: string }[];
  flags: Code[];
  zone: string | null;
  in_expected_region: number | null;
  map_status: string;
  display_class: string;
  maps: FindingMap[];
  is_primary: boolean;
};
export type Interval = null | [number, number, number];
export type Engine = {
  id: string;
  title: string;
  version: string;
  sha256: string;
  intended_use: string;
  not_for: string;
  population: string;
  metrics: Record<string, { sensitivity: Interval; specificity: Interval; auc: Interval; n_positive: number | null }>;
};
export type Prior = {
  study_key: string | null;
  studied_at: string | null;
  description: string;
  series: Series[];
  findings: { key: string; display: string; positive: boolean; probability: number }[];
};
export type Change = {
  key: string;
  display: string;
  change: string;
  prior_probability: number | null;
  current_probability: number | null;
  reasons: string[];
  cautions: string[];
};
export type Lease = { holder: string; since: string; until: string; is_mine: boolean };
export type Region = { image_key: number; kind: "box" | "polygon"; points: Point[] };
export type Assessment = "accepted" | "rejected" | "modified";
export type FindingDecision = {
  engine: string;
  key: string;
  assessment: Assessment;
  reason_code: string | null;
  comment: string;
  changed: null | { key: string | null; display: string; confidence: Confidence | null; regions: Region[] };
};
export type AddedFinding = {
  key: string | null;
  display: string;
  confidence: Confidence | null;
  comment: string;
  regions: Region[];
};
export type DecisionRequest = {
  idempotency_key: string;
  report_id: string;
  supersedes: string | null;
  is_final: boolean;
  comment: string;
  findings: FindingDecision[];
  added: AddedFinding[];
};
export type Decision = {
  decision_id: string;
  study_key: string;
  report_id: string;
  reader: { name: string; display: string };
  signed_at: string;
  is_final: boolean;
  outcome: string;
  findings: FindingDecision[];
  added: AddedFinding[];
  comment: string;
  supersedes: string | null;
  audit_sequence: number | null;
  deliveries: { destination: string; state: string }[];
  second_read: boolean;
};
export type StudyView = {
  study_key: string;
  revision: number;
  report_id: string | null;
  state: StudyState;
  patient: Patient;
  accession_number: string;
  description: string;
  modality: string;
  body_part: string;
  studied_at: string | null;
  referring_physician: string;
  order: null | { reason: string; priority: string };
  site: string;
  impression: string;
  status: string;
  disclaimer: string;
  ai_hidden: boolean;
  engines: Engine[];
  series: Series[];
  findings: Finding[];
  refusals: Code[];
  priors: Prior[];
  changes: Change[];
  decision: Decision | null;
  lease: Lease | null;
  audit_sequence: number | null;
  delivered: { destination: string; state: string }[];
};
export type Vocabulary = {
  reasons: { code: string; display: string; for: string[] }[];
  findings: { key: string; display: string; engine: string }[];
  confidences: string[];
};
export type OversightRow = {
  engine: string;
  version: string;
  finding: string;
  reader: string;
  confidence: string;
  n: number;
  accepted: number;
  modified: number;
  rejected: number;
  missed: number;
  override_rate: Interval;
  median_decision_s: number | null;
};
export type AuditEntry = {
  sequence: number;
  at: string;
  action: string;
  outcome: string;
  actor: string;
  details: Record<string, string> | null;
};
export type Person = {
  name: string;
  display: string;
  roles: string[];
  sites: string[];
  disabled: boolean;
  totp: boolean;
};
export type Token = { id: string; name: string; scopes: string[]; created_at: string; last_used_at: string | null };
