import createClient from "openapi-fetch";
import type { paths } from "./openapi";
import type { DecisionRequest, Session, WorklistQuery } from "./types";

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

/** One request to our server, as it is asked and as the server refuses; the paths of `client` are those of docs/openapi.json. */
async function reach(request: Request): Promise<Response> {
  if (request.method !== "GET") request.headers.set("X-CSRF-Token", csrf);
  // What the page asks by itself, with nobody at it, keeps no session alive.
  if (Date.now() - actedAt >= ATTENDED_MS) request.headers.set("X-Unattended", "1");
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "network", "the server did not answer", "", "Check the connection, then try again.");
  }
  if (response.ok) return response;
  const said = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const word = (name: string, otherwise: string) => (typeof said[name] === "string" ? said[name] : otherwise);
  const code = word("code", `http_${response.status}`);
  if (response.status === 401 && !new URL(request.url).pathname.startsWith("/api/session")) whenSignedOut();
  throw new Problem(
    response.status,
    code,
    word("found", `an answer of ${response.status}`),
    word("expected", ""),
    word("action", "Try again; if it stays, tell whoever runs the server."),
    said,
  );
}

const OURS = { credentials: "same-origin", cache: "no-store" } as const;
const client = createClient<paths>({ baseUrl: "/api", fetch: reach, ...OURS });

/** The answer of a request that was not refused: `reach` throws the others. */
async function said<T>(asked: Promise<{ data?: T }>): Promise<T> {
  return (await asked).data as T;
}

/** Bytes of a picture or map. */
export async function bytes(path: string, accept: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  const response = await reach(new Request(path, { ...OURS, headers: { Accept: accept }, signal: signal ?? null }));
  return response.arrayBuffer();
}

function sentence(text: string): string {
  const ended = /[.!?]$/.test(text) ? text : `${text}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}

function signedIn(session: Session): Session {
  csrf = session.csrf;
  return session;
}

const study = (study_key: string) => ({ params: { path: { study_key } } });
const person = (name: string) => ({ params: { path: { name } } });
export type Meant = NonNullable<paths["/oversight"]["get"]["parameters"]["query"]>;
type Body<P extends keyof paths, M extends keyof paths[P]> = paths[P][M] extends {
  requestBody: { content: { "application/json": infer T } };
}
  ? T
  : never;

export const api = {
  door: () => said(client.GET("/door")),
  session: async () => signedIn(await said(client.GET("/session"))),
  signIn: async (body: Body<"/session", "post">) => signedIn(await said(client.POST("/session", { body }))),
  enter: async (token: string) => signedIn(await said(client.POST("/enter", { body: { token } }))),
  enrol: async (body: Body<"/enrol", "post">) => signedIn(await said(client.POST("/enrol", { body }))),
  signOut: () => said(client.DELETE("/session")),

  worklist: (body: WorklistQuery) => said(client.POST("/worklist", { body })),
  vocabulary: () => said(client.GET("/vocabulary")),
  study: (key: string) => said(client.GET("/studies/{study_key}", study(key))),
  opinion: (key: string, body: Body<"/studies/{study_key}/opinion", "post">) =>
    said(client.POST("/studies/{study_key}/opinion", { ...study(key), body })),
  takeLease: (key: string, break_reason = "") =>
    said(client.POST("/studies/{study_key}/lease", { ...study(key), body: { break_reason } })),
  leaveLease: (key: string) => said(client.DELETE("/studies/{study_key}/lease", study(key))),
  breakGlass: (key: string, reason: string) =>
    said(client.POST("/studies/{study_key}/break-glass", { ...study(key), body: { reason } })),
  decide: (key: string, body: DecisionRequest) =>
    said(client.POST("/studies/{study_key}/decision", { ...study(key), body })),
  retract: (key: string, reason: Body<"/studies/{study_key}/retract", "post">["reason"]) =>
    said(client.POST("/studies/{study_key}/retract", { ...study(key), body: { reason } })),
  rerun: (key: string) => said(client.POST("/studies/{study_key}/rerun", study(key))),

  oversight: (query: Meant) => said(client.GET("/oversight", { params: { query } })),
  drift: () => said(client.GET("/drift")),
  validations: () => said(client.GET("/validations")),
  audit: (query: { from_sequence?: number; limit: number }) => said(client.GET("/audit", { params: { query } })),
  verifyAudit: () => said(client.POST("/audit/verify")),

  people: () => said(client.GET("/people")),
  addPerson: (body: Body<"/people", "post">) => said(client.POST("/people", { body })),
  changePerson: (name: string, body: Body<"/people/{name}", "patch">) =>
    said(client.PATCH("/people/{name}", { ...person(name), body })),
  resetPerson: (name: string) => said(client.POST("/people/{name}/reset", person(name))),
  tokens: () => said(client.GET("/tokens")),
  makeToken: (body: Body<"/tokens", "post">) => said(client.POST("/tokens", { body })),
  withdrawToken: (token_id: string) =>
    said(client.DELETE("/tokens/{token_id}", { params: { path: { token_id } } })),

  changePassword: (body: Body<"/me/password", "post">) => said(client.POST("/me/password", { body })),
  beginFactor: () => said(client.POST("/me/totp")),
  confirmFactor: (code: string) => said(client.PUT("/me/totp", { body: { code } })),
  removeFactor: (code: string) => said(client.DELETE("/me/totp", { body: { code } })),
};
