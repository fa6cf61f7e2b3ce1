import { useCallback, useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import type { NewPerson, Person, Session, Token } from "../api/types";
import { moment } from "../words";
import { Field, Trouble, Waiting } from "./parts";

const ROLES = ["radiologist", "senior", "technologist", "qa", "auditor", "administrator"];
const SCOPES = ["dicomweb.read", "dicomweb.store", "fhir.read", "metrics.read", "status.read"];

/** Who may sign in and what they are; tokens of machines. */
export function People({ session }: { session: Session }) {
  const [people, setPeople] = useState<Person[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [link, setLink] = useState("");
  const [changing, setChanging] = useState("");
  const load = useCallback(() => {
    api.people().then(setPeople, setError);
  }, []);
  useEffect(load, [load]);
  const act = (doing: Promise<unknown>) =>
    void doing.then(
      (answer) => {
        setError(null);
        setLink(linkOf(answer));
        setChanging("");
        load();
      },
      (failure: unknown) => setError(failure),
    );
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
                {changing === one.name ? (
                  <td colSpan={2}>
                    <Change person={one} onChange={(what) => act(api.changePerson(one.name, what))} />
                  </td>
                ) : (
                  <>
                    <td>
                      {one.roles.join(", ")}
                      {one.totp && <div class="dim">second factor</div>}
                    </td>
                    <td>{one.sites.join(", ")}</td>
                  </>
                )}
                <td class="row-acts">
                  <button type="button" onClick={() => setChanging(changing === one.name ? "" : one.name)}>
                    {changing === one.name ? "Leave it" : "Change…"}
                  </button>
                  <button type="button" onClick={() => act(api.resetPerson(one.name))}>
                    New link
                  </button>
                  <button
                    type="button"
                    disabled={one.name === session.user.name}
                    onClick={() => act(api.changePerson(one.name, { disabled: !one.disabled }))}
                  >
                    {one.disabled ? "Let in" : "Shut out"}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <h2>Add a person</h2>
      <AddPerson onAdd={(about) => act(api.addPerson(about))} />
      {session.permissions.includes("tokens.manage") && <Tokens />}
    </div>
  );
}

function AddPerson({ onAdd }: { onAdd: (about: NewPerson) => void }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const said = new FormData(form);
    onAdd({ name: String(said.get("name")), display: String(said.get("display")), ...rightsOf(said) });
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
      <Choices legend="Roles" name="roles" all={ROLES} chosen={["radiologist"]} />
      <Field label="Sites (* for all)">
        <input name="sites" defaultValue="*" required />
      </Field>
      <button type="submit">Add</button>
    </form>
  );
}

function Change({ person, onChange }: { person: Person; onChange: (what: { roles: string[]; sites: string[] }) => void }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    onChange(rightsOf(new FormData(event.currentTarget as HTMLFormElement)));
  };
  return (
    <form class="inline" onSubmit={submit} aria-label={`Change ${person.name}`}>
      <Choices legend="Roles" name="roles" all={[...new Set([...ROLES, ...person.roles])]} chosen={person.roles} />
      <Field label="Sites (* for all)">
        <input name="sites" defaultValue={person.sites.join(", ")} required />
      </Field>
      <button type="submit">Change</button>
    </form>
  );
}

type ChoicesProps = { legend: string; name: string; all: string[]; chosen: string[] };

function Choices({ legend, name, all, chosen }: ChoicesProps) {
  return (
    <fieldset class="choices">
      <legend>{legend}</legend>
      {all.map((each) => (
        <label key={each}>
          <input type="checkbox" name={name} value={each} defaultChecked={chosen.includes(each)} /> {each}
        </label>
      ))}
    </fieldset>
  );
}

function rightsOf(said: FormData): { roles: string[]; sites: string[] } {
  return { roles: said.getAll("roles").map(String), sites: words(String(said.get("sites") ?? "")) };
}

function words(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

function Tokens() {
  const [tokens, setTokens] = useState<Token[]>([]);
  const [error, setError] = useState<unknown>(null);
  const [made, setMade] = useState("");
  const load = useCallback(() => {
    api.tokens().then(setTokens, setError);
  }, []);
  useEffect(load, [load]);
  const create = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const said = new FormData(form);
    api.makeToken({ name: String(said.get("name")), scopes: said.getAll("scopes").map(String) }).then((answer) => {
      setMade(answer.token);
      setError(null);
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
            <button type="button" onClick={() => void api.withdrawToken(token.id).then(load, setError)}>
              Withdraw
            </button>
          </li>
        ))}
      </ul>
      <h3>Make a token</h3>
      <form class="inline" onSubmit={create} aria-label="Make a token">
        <Field label="Name">
          <input name="name" required autocomplete="off" />
        </Field>
        <Choices legend="Scopes" name="scopes" all={SCOPES} chosen={["dicomweb.read"]} />
        <button type="submit">Make</button>
      </form>
    </section>
  );
}

function linkOf(answer: unknown): string {
  return typeof answer === "object" && answer !== null && "link" in answer ? String(answer.link) : "";
}
