import { useState } from "preact/hooks";
import { call } from "../api/client";
import type { Session } from "../api/types";
import { Field, Trouble } from "./parts";

/** One's own password and second factor. */
export function Me({ session }: { session: Session }) {
  return (
    <div class="plain narrow">
      <header>
        <h1>{session.user.display || session.user.name}</h1>
      </header>
      <p class="dim">
        {session.user.roles.join(", ")} · sites: {session.user.sites.join(", ")}
      </p>
      {session.must_enrol_totp && <p class="held">Your role needs a second factor: set it up below.</p>}
      <Password />
      <SecondFactor />
    </div>
  );
}

function Password() {
  const [said, setSaid] = useState("");
  const [error, setError] = useState<unknown>(null);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const text = new FormData(form);
    call("POST", "/api/me/password", { old: text.get("old"), new: text.get("new") }).then(() => {
      setSaid("Changed.");
      setError(null);
      form.reset();
    }, setError);
  };
  return (
    <form onSubmit={submit}>
      <h2>Password</h2>
      <Field label="Now">
        <input name="old" type="password" autocomplete="current-password" required />
      </Field>
      <Field label="New" note="Twelve characters or more.">
        <input name="new" type="password" autocomplete="new-password" minLength={12} required />
      </Field>
      {error !== null && <Trouble error={error} />}
      <button type="submit">Change</button> <span role="status">{said}</span>
    </form>
  );
}

function SecondFactor() {
  const [secret, setSecret] = useState<{ secret: string; uri: string } | null>(null);
  const [said, setSaid] = useState("");
  const [error, setError] = useState<unknown>(null);
  const begin = () => call<{ secret: string; uri: string }>("POST", "/api/me/totp").then(setSecret, setError);
  const submit = (method: "PUT" | "DELETE") => (event: SubmitEvent) => {
    event.preventDefault();
    const code = new FormData(event.currentTarget as HTMLFormElement).get("code");
    call(method, "/api/me/totp", { code }).then(() => {
      setSaid(method === "PUT" ? "On: a code is asked for at the next sign-in." : "Off.");
      setSecret(null);
      setError(null);
    }, setError);
  };
  return (
    <section>
      <h2>Second factor</h2>
      {error !== null && <Trouble error={error} />}
      <p role="status">{said}</p>
      {secret ? (
        <form onSubmit={submit("PUT")}>
          <p>Add this key to an authenticator app, then enter the code it shows.</p>
          <p class="link">
            <code>{secret.secret}</code>
          </p>
          <Field label="Code">
            <input name="code" inputMode="numeric" autocomplete="one-time-code" required />
          </Field>
          <button type="submit">Turn on</button>
        </form>
      ) : (
        <>
          <button type="button" onClick={() => void begin()}>
            Set up…
          </button>
          <form class="inline" onSubmit={submit("DELETE")}>
            <Field label="Code, to turn it off">
              <input name="code" inputMode="numeric" autocomplete="one-time-code" required />
            </Field>
            <button type="submit">Turn off</button>
          </form>
        </>
      )}
    </section>
  );
}
