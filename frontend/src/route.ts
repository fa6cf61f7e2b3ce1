import { useEffect, useState } from "preact/hooks";

/** The parts of the address after `#/`. It holds keys of our own, never a name or number of a patient. */
export function here(): string[] {
  return location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
}

/** Goes to another room of the page. */
export function go(path: string): void {
  location.hash = `#/${path}`;
}

/** Takes the address out of the history, with the secret that stands in it. */
export function forgetAddress(): void {
  history.replaceState(null, "", `${location.pathname}#/`);
}

export function useRoute(): string[] {
  const [parts, setParts] = useState(here);
  useEffect(() => {
    const turned = () => setParts(here());
    window.addEventListener("hashchange", turned);
    return () => window.removeEventListener("hashchange", turned);
  }, []);
  return parts;
}
