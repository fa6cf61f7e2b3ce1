import { useCallback, useEffect, useState } from "preact/hooks";
import { call } from "../api/client";
import type { Person, Session, Token } from "../api/types";
import { moment } from "../words";
import { Field, Trouble, Waiting } from "./parts";

const ROLES = ["radiologist", "senior", "technologist", "qa", "auditor", "administrator"];

/** Who may sign in and what they are; tokens of machines. */
export function People({ session }: { session: Session }) {
  const [people, setPeople] = useState<Person[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [link, setLink] = useState("");
  const load = useCallback(() => {
    call<Person[] | { people: Person[] }>("GET", "/api/people").then((found) => setPeople(listed(found, "people")), setError);
  }, []);
  useEffect(load, [load]);
  const act = (doing: Promise<unknown>) =>
    void doing.then(
      (answer) => {
        setError(null);
        setLink(linkOf(answer));
        load();
      },
      (failure: unknown) => setError(failure),
    );
  const person = (name: string, rest = "") => `/api/people/${encodeURIComponent(name)}${rest}`;
  return (
    <div class="plain">
      <header>
        <h1>People</h1>
      </header>
      {error !== null && <Trouble error={error} />}
      {link && (
        <p class="link" role="status">
          One-time link, to be given by a safe way: <code>{link}</code>
        </p>
      )}
      {!people && error === null && <Waiting />}
      {people && (
        <table class="rows">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Roles</th>
              <th scope="col">Sites</th>
              <th scope="col">
                <span class="hidden">Acts</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {people.map((one) => (
              <tr key={one.name} class={one.disabled ? "off" : ""}>
                <td>
                  <div>{one.display || one.name}</div>
                  <div class="dim">{one.name}</div>
                </td>
                <td>{one.roles.join(", ")}</td>
                <td>{one.sites.join(", ")}</td>
                <td class="row-acts">
                  <button type="button" onClick={() => act(call("POST", person(one.name, "/reset")))}>
                    New link
                  </button>
                  <button
                    type="button"
                    disabled={one.name === session.user.name}
                    onClick={() => act(call("PATCH", person(one.name), { disabled: !one.disabled }))}
                  >
                    {one.disabled ? "Let in" : "Shut out"}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <AddPerson onAdd={(about) => act(call("POST", "/api/people", about))} />
      {session.permissions.includes("tokens.manage") && <Tokens />}
    </div>
  );
}

function AddPerson({ onAdd }: { onAdd: (about: object) => void }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const said = new FormData(form);
    const sites = String(said.get("sites") ?? "").split(/[\s,]+/).filter(Boolean);
    onAdd({ name: said.get("name"), display: said.get("display"), roles: said.getAll("roles"), sites });
    form.reset();
  };
  return (
    <form class="inline" onSubmit={submit} aria-label="Add a person">
      <Field label="Name">
        <input name="name" required autocomplete="off" spellcheck={false} />
      </Field>
      <Field label="As under a report">
        <input name="display" autocomplete="off" />
      </Field>
      <Field label="Role">
        <select name="roles">
          {ROLES.map((role) => (
            <option key={role}>{role}</option>
          ))}
        </select>
      </Field>
      <Field label="Sites (* for all)">
        <input name="sites" defaultValue="*" required />
      </Field>
      <button type="submit">Add</button>
    </form>
  );
}

function Tokens() {
  const [tokens, setTokens] = useState<Token[]>([]);
  const [error, setError] = useState<unknown>(null);
  const [made, setMade] = useState("");
  const load = useCallback(() => {
    call<Token[] | { tokens: Token[] }>("GET", "/api/tokens").then((found) => setTokens(listed(found, "tokens")), setError);
  }, []);
  useEffect(load, [load]);
  const create = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const said = new FormData(form);
    const scopes = String(said.get("scopes") ?? "").split(/[\s,]+/).filter(Boolean);
    call<{ token?: string }>("POST", "/api/tokens", { name: said.get("name"), scopes }).then((answer) => {
      setMade(answer.token ?? "");
      form.reset();
      load();
    }, setError);
  };
  return (
    <section>
      <h2>Tokens of machines</h2>
      {error !== null && <Trouble error={error} />}
      {made && (
        <p class="link" role="status">
          Shown once: <code>{made}</code>
        </p>
      )}
      <ul class="tokens">
        {tokens.map((token) => (
          <li key={token.id}>
            <span>{token.name}</span>
            <span class="dim">{token.scopes.join(", ")}</span>
            <span class="dim">{moment(token.last_used_at) || "not used yet"}</span>
            <button type="button" onClick={() => void call("DELETE", `/api/tokens/${encodeURIComponent(token.id)}`).then(load, setError)}>
              Withdraw
            </button>
          </li>
        ))}
      </ul>
      <form class="inline" onSubmit={create} aria-label="Make a token">
        <Field label="Name">
          <input name="name" required autocomplete="off" />
        </Field>
        <Field label="Scopes">
          <input name="scopes" defaultValue="dicomweb.read" required />
        </Field>
        <button type="submit">Make</button>
      </form>
    </section>
  );
}

function listed<T, K extends string>(found: T[] | Record<K, T[]>, name: K): T[] {
  return Array.isArray(found) ? found : found[name];
}

function linkOf(answer: unknown): string {
  return typeof answer === "object" && answer !== null && "link" in answer ? String(answer.link) : "";
}
