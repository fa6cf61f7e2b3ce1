import type {
  Decision,
  DecisionRequest,
  Door,
  Lease,
  Session,
  StudyView,
  Vocabulary,
  Worklist,
  WorklistQuery,
} from "./types";

/** What went wrong, in the server's words; `network` where there was no answer at all. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly found: string,
    readonly expected: string,
    readonly action: string,
    readonly more: Record<string, unknown> = {},
  ) {
    super(found);
  }

  get text(): string {
    const expected = this.expected ? ` Expected: ${this.expected}.` : "";
    return `${sentence(this.found)}${expected} ${this.action}`.trim();
  }
}

/** The problem inside whatever was thrown. */
export function problemOf(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  return new Problem(0, "page", "the page failed", "", thrown instanceof Error ? thrown.message : "Load it anew.");
}

let csrf = "";
let whenSignedOut: () => void = () => undefined;

/** Calls `then` whenever the server no longer knows the session. */
export function onSignedOut(then: () => void): void {
  whenSignedOut = then;
}

const ATTENDED_MS = 60_000;
let actedAt = Date.now();
for (const kind of ["keydown", "pointerdown", "pointermove", "wheel"]) {
  addEventListener(kind, () => (actedAt = Date.now()), { capture: true, passive: true });
}

/** What the page asks by itself, with nobody at it, keeps no session alive. */
function attended(init: RequestInit): RequestInit {
  if (Date.now() - actedAt < ATTENDED_MS) return init;
  return { ...init, headers: { ...(init.headers as Record<string, string>), "X-Unattended": "1" } };
}

/** One request to our server; answers JSON, or nothing for 204. */
export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  const response = await reach(path, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** Bytes of a picture or map. */
export async function bytes(path: string, accept: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  const response = await reach(path, { headers: { Accept: accept }, signal: signal ?? null });
  return response.arrayBuffer();
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...attended(init) });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "network", "the server did not answer", "", "Check the connection, then try again.");
  }
  if (response.ok) return response;
  const said = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const word = (name: string, otherwise: string) => (typeof said[name] === "string" ? said[name] : otherwise);
  const code = word("code", `http_${response.status}`);
  if (response.status === 401 && !path.startsWith("/api/session")) whenSignedOut();
  throw new Problem(
    response.status,
    code,
    word("found", `an answer of ${response.status}`),
    word("expected", ""),
    word("action", "Try again; if it stays, tell whoever runs the server."),
    said,
  );
}

function sentence(text: string): string {
  const ended = /[.!?]$/.test(text) ? text : `${text}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}

function signedIn(session: Session): Session {
  csrf = session.csrf;
  return session;
}

const study = (key: string, rest = "") => `/api/studies/${encodeURIComponent(key)}${rest}`;

export const api = {
  door: () => call<Door>("GET", "/api/door"),
  session: async () => signedIn(await call<Session>("GET", "/api/session")),
  signIn: async (name: string, password: string, totp?: string) =>
    signedIn(await call<Session>("POST", "/api/session", { name, password, ...(totp ? { totp } : {}) })),
  enter: async (token: string) => signedIn(await call<Session>("POST", "/api/enter", { token })),
  enrol: async (token: string, about: { name?: string; display?: string; password: string }) =>
    signedIn(await call<Session>("POST", "/api/enrol", { token, ...about })),
  signOut: () => call<void>("DELETE", "/api/session"),
  worklist: (query: WorklistQuery) => call<Worklist>("POST", "/api/worklist", query),
  vocabulary: () => call<Vocabulary>("GET", "/api/vocabulary"),
  study: (key: string) => call<StudyView>("GET", study(key)),
  opinion: (key: string, opinion: { findings: string[]; nothing: boolean; comment: string }) =>
    call<StudyView>("POST", study(key, "/opinion"), opinion),
  takeLease: (key: string, breakReason?: string) =>
    call<Lease>("POST", study(key, "/lease"), breakReason ? { break_reason: breakReason } : {}),
  leaveLease: (key: string) => call<void>("DELETE", study(key, "/lease")),
  breakGlass: (key: string, reason: string) => call<unknown>("POST", study(key, "/break-glass"), { reason }),
  decide: (key: string, decision: DecisionRequest) => call<Decision>("POST", study(key, "/decision"), decision),
  retract: (key: string, reason: string) => call<unknown>("POST", study(key, "/retract"), { reason }),
  rerun: (key: string) => call<unknown>("POST", study(key, "/rerun")),
};
