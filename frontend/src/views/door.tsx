import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { api, problemOf, type Problem } from "../api/client";
import type { Door, Session } from "../api/types";
import { forgetAddress, go, here } from "../route";
import { Field, Trouble, Waiting } from "./parts";

type Props = { onEntered: (session: Session) => void; notice?: string };

/** Sign in, enrol from a one-time link, or enter by one. */
export function SignIn({ onEntered, notice }: Props) {
  const [way, token] = useState(here)[0];
  const [door, setDoor] = useState<Door | null>(null);
  useEffect(() => void api.door().then(setDoor, () => undefined), []);
  const entered = (session: Session) => {
    if (way === "refused") go("");
    onEntered(session);
  };
  return (
    <main class="door">
      <section>
        <h1>Radiolucent</h1>
        {notice && <p role="status">{notice}</p>}
        {way === "enrol" && token ? (
          <Enrol token={token} onEntered={onEntered} />
        ) : way === "enter" && token ? (
          <Enter token={token} onEntered={onEntered} />
        ) : (
          <>
            {way === "refused" && token && <Refused code={token} />}
            <Password door={door} onEntered={entered} />
          </>
        )}
        <p class="notice">{door?.notice ?? "Research software, not a medical device."}</p>
      </section>
    </main>
  );
}

const REFUSALS: Record<string, string> = {
  oidc_no_role: "You are known there, but have no role here.",
  oidc_no_site: "You are known there, but have no site here.",
  oidc_no_name: "The provider gives no name that can be used here.",
  oidc_account: "Your account here is disabled, or somebody else has its name.",
  oidc_unavailable: "The provider does not answer.",
};

/** Why the sign-in by the provider came to nothing. */
function Refused({ code }: { code: string }) {
  return (
    <div class="trouble" role="alert">
      <p>{REFUSALS[code] ?? "That sign-in did not succeed. Try again."}</p>
      <p class="dim">
        <code>{code}</code>
      </p>
    </div>
  );
}

function Password({ door, onEntered }: Props & { door: Door | null }) {
  const [needsCode, setNeedsCode] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => first.current?.focus(), []);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    try {
      onEntered(await api.signIn({
        name: text(form, "name"),
        password: text(form, "password"),
        totp: text(form, "totp"),
      }));
    } catch (error) {
      const found = problemOf(error);
      if (found.code === "totp_needed") setNeedsCode(true);
      setProblem(found.code === "totp_needed" && !needsCode ? null : found);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={submit}>
      <Field label="Name">
        <input name="name" autocomplete="username" ref={first} required spellcheck={false} />
      </Field>
      <Field label="Password">
        <input name="password" type="password" autocomplete="current-password" required />
      </Field>
      {needsCode && (
        <Field label="Code" note="Six digits from your authenticator app.">
          <input name="totp" inputMode="numeric" autocomplete="one-time-code" required ref={(input) => input?.focus()} />
        </Field>
      )}
      {problem && <Trouble error={problem} />}
      <button type="submit" class="primary" disabled={isBusy}>
        Sign in
      </button>
      {door?.oidc && (
        <a class="button" href="/api/session/oidc">
          {door.oidc.title}
        </a>
      )}
      {door && !door.has_users && (
        <p class="notice">Nobody can sign in yet: the server printed a one-time link for the first administrator.</p>
      )}
    </form>
  );
}

function Enrol({ token, onEntered }: Props & { token: string }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    if (text(form, "password") !== text(form, "again")) {
      setProblem(problemOf(new Error("The two passwords differ.")));
      return;
    }
    const [name, display] = [text(form, "name"), text(form, "display")];
    try {
      const session = await api.enrol({
        token,
        ...(name ? { name } : {}),
        ...(display ? { display } : {}),
        password: text(form, "password"),
      });
      forgetAddress();
      onEntered(session);
    } catch (error) {
      setProblem(problemOf(error));
    }
  };
  return (
    <form onSubmit={submit}>
      <p>Choose your password. This link works once.</p>
      <Field label="Name" note="Leave it empty if you were given one.">
        <input name="name" autocomplete="username" spellcheck={false} />
      </Field>
      <Field label="Name as it stands under a report">
        <input name="display" autocomplete="name" />
      </Field>
      <Field label="Password" note="Twelve characters or more.">
        <input name="password" type="password" autocomplete="new-password" minLength={12} required />
      </Field>
      <Field label="Password, again">
        <input name="again" type="password" autocomplete="new-password" required />
      </Field>
      {problem && <Trouble error={problem} />}
      <button type="submit" class="primary">
        Enrol and sign in
      </button>
    </form>
  );
}

function Enter({ token, onEntered }: Props & { token: string }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    api.enter(token).then(
      (session) => {
        forgetAddress();
        location.hash = "#/";
        onEntered(session);
      },
      (error: unknown) => {
        forgetAddress(); // Loaded again, the page asks for a name and a password.
        api.session().then(onEntered, () => setProblem(problemOf(error))); // Who is in already needs no link.
      },
    );
  }, [token, onEntered]);
  if (!problem) return <Waiting />;
  return (
    <>
      <Trouble error={problem} />
      <a class="button" href={location.pathname}>
        Sign in by name and password
      </a>
    </>
  );
}

function text(form: FormData, name: string): string {
  return String(form.get(name) ?? "");
}
