import { useState } from "preact/hooks";
import { api } from "../api/client";
import type { Secret, Session } from "../api/types";
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
      <SecondFactor isOn={session.user.totp} />
      <Password />
    </div>
  );
}

function Password() {
  const [error, setError] = useState<unknown>(null);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const text = new FormData(form);
    api.changePassword({ old: String(text.get("old")), new: String(text.get("new")) }).then(() => location.reload(), setError);
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
      <button type="submit">Change, and sign in anew</button>
    </form>
  );
}

function SecondFactor({ isOn }: { isOn: boolean }) {
  const [secret, setSecret] = useState<Secret | null>(null);
  const [error, setError] = useState<unknown>(null);
  const begin = () => api.beginFactor().then(setSecret, setError);
  const submit = (send: (code: string) => Promise<unknown>) => (event: SubmitEvent) => {
    event.preventDefault();
    const code = String(new FormData(event.currentTarget as HTMLFormElement).get("code"));
    send(code).then(() => location.reload(), setError); // What one may do can be another thing now.
  };
  return (
    <section>
      <h2>Second factor</h2>
      {error !== null && <Trouble error={error} />}
      <p role="status">{isOn ? "On: a code is asked for at each sign-in." : "Off."}</p>
      {isOn && <Code label="Code, to turn it off" act="Turn off" onSubmit={submit(api.removeFactor)} />}
      {!isOn && !secret && (
        <button type="button" onClick={() => void begin()}>
          Set up…
        </button>
      )}
      {!isOn && secret && (
        <>
          <p>
            Scan this with an authenticator app (on this device: <a href={secret.uri}>open it here</a>), or type the key below; then
            enter the code that the app shows.
          </p>
          <img class="qr" src={secret.picture} alt="QR code of the key below" />
          <p class="link">
            <code>{secret.secret}</code>
          </p>
          <Code label="Code" act="Turn on" onSubmit={submit(api.confirmFactor)} />
        </>
      )}
    </section>
  );
}

function Code({ label, act, onSubmit }: { label: string; act: string; onSubmit: (event: SubmitEvent) => void }) {
  return (
    <form class="inline" onSubmit={onSubmit}>
      <Field label={label}>
        <input name="code" inputMode="numeric" autocomplete="one-time-code" required />
      </Field>
      <button type="submit">{act}</button>
    </form>
  );
}
