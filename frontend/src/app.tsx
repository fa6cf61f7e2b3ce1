import { lazy, Suspense } from "preact/compat";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { api, onSignedOut, problemOf } from "./api/client";
import type { Session } from "./api/types";
import { useKeys } from "./keys";
import { go, here, useRoute } from "./route";
import { SignIn } from "./views/door";
import { KeyList } from "./views/key-list";
import { Shell } from "./views/shell";
import { Waiting } from "./views/parts";
import { Worklist } from "./views/worklist";

const Reading = lazy(() => import("./views/reading").then((room) => room.Reading));
const Oversight = lazy(() => import("./views/oversight").then((room) => room.Oversight));
const People = lazy(() => import("./views/people").then((room) => room.People));
const Audit = lazy(() => import("./views/audit").then((room) => room.Audit));
const Me = lazy(() => import("./views/me").then((room) => room.Me));

/** The whole page: the door until somebody is signed in, then the room of the address. */
export function App() {
  const [session, setSession] = useState<Session | null>(null);
  const [isAsked, setAsked] = useState(false);
  const [hasEnded, setEnded] = useState(false);
  const who = useRef<string | null>(null);

  const entered = useCallback((next: Session) => {
    if (who.current !== null && who.current !== next.user.name) location.reload(); // Nobody inherits another's open decision.
    who.current = next.user.name;
    setSession(next);
    setEnded(false);
    setAsked(true);
  }, []);

  useEffect(() => {
    onSignedOut(() => setEnded(true));
    const entering = here()[0] === "enter" || here()[0] === "enrol";
    if (entering) setAsked(true);
    else {
      api.session().then(entered, (error: unknown) => {
        if (problemOf(error).status !== 401) setEnded(true);
        setAsked(true);
      });
    }
  }, [entered]);

  useEffect(() => {
    const linked = () => void ((here()[0] === "enter" || here()[0] === "enrol") && location.reload()); // Pasted into an open page.
    window.addEventListener("hashchange", linked);
    return () => window.removeEventListener("hashchange", linked);
  }, []);

  if (!isAsked) return <Waiting />;
  if (!session) return <SignIn onEntered={entered} />;
  return (
    <>
      <div class="page" inert={hasEnded} hidden={hasEnded}>
        <Rooms session={session} />
      </div>
      {hasEnded && <SignIn onEntered={entered} notice="Your session has ended. Sign in to go on where you were." />}
    </>
  );
}

function Rooms({ session }: { session: Session }) {
  const [room = "", key = "", name = ""] = useRoute();
  const [areKeysShown, setKeysShown] = useState(false);
  useKeys([{ key: "?", label: "All keys", group: "Page", run: () => setKeysShown((shown) => !shown) }]);
  const may = (permission: string) => session.permissions.includes(permission);
  return (
    <>
      {areKeysShown && <KeyList onClose={() => setKeysShown(false)} />}
      <Suspense fallback={<Waiting />}>
        {session.must_enrol_totp ? (
          <Shell session={session} room="me">
            <Me session={session} />
          </Shell>
        ) : room === "study" && may("study.read") ? (
          <Reading key={key} studyKey={key} session={session} onBack={() => go("")} />
        ) : (
          <Shell session={session} room={room}>
            {room === "" && may("worklist.read") && <Worklist />}
            {room === "oversight" && may("oversight.read") && <Oversight place={key} name={name} />}
            {room === "people" && may("people.manage") && <People session={session} />}
            {room === "audit" && may("audit.read") && <Audit />}
            {room === "me" && <Me session={session} />}
            {room === "" && !may("worklist.read") && <p class="empty">Choose a page above.</p>}
          </Shell>
        )}
      </Suspense>
    </>
  );
}
