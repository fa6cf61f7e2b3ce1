import type { ComponentChildren } from "preact";
import { api } from "../api/client";
import type { Session } from "../api/types";
import { press } from "../keys";

const ROOMS = [
  { room: "", label: "Worklist", permission: "worklist.read" },
  { room: "oversight", label: "Oversight", permission: "oversight.read" },
  { room: "audit", label: "Audit", permission: "audit.read" },
  { room: "people", label: "People", permission: "people.manage" },
];

/** Header and footer of every room but the reading view, which brings its own header. */
export function Shell({ session, room, children }: { session: Session; room: string; children: ComponentChildren }) {
  const rooms = ROOMS.filter(({ permission }) => session.permissions.includes(permission));
  return (
    <div class="shell">
      <header class="top">
        <b class="brand">Radiolucent</b>
        <nav aria-label="Rooms">
          {rooms.map(({ room: name, label }) => (
            <a key={name} href={`#/${name}`} aria-current={name === room ? "page" : undefined}>
              {label}
            </a>
          ))}
        </nav>
        <Who session={session} />
      </header>
      <main class="room" tabIndex={-1}>
        {children}
      </main>
      <Foot />
    </div>
  );
}

export function Who({ session }: { session: Session }) {
  const leave = () => void api.signOut().finally(() => location.replace(location.pathname));
  return (
    <span class="who">
      <a href="#/me">{session.user.display || session.user.name}</a>
      <span class="dim">{session.user.roles.join(", ")}</span>
      <button type="button" class="quiet" onClick={leave}>
        Sign out
      </button>
    </span>
  );
}

export function Foot({ children }: { children?: ComponentChildren }) {
  return (
    <footer class="foot">
      <b>Research use only</b>
      {children}
      <button type="button" class="quiet end" onClick={() => press("?")}>
        <kbd>?</kbd> all keys
      </button>
    </footer>
  );
}
