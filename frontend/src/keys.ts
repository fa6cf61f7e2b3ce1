import { useEffect, useRef } from "preact/hooks";

/** What a key does. `key` is what the keyboard gives (`KeyboardEvent.key`), letters in lower case. */
export type Binding = { key: string; label: string; group: string; run: () => void; shift?: boolean; hidden?: boolean };

const layers: { current: Binding[] }[] = [];

/** Binds keys while the component is shown; the last one mounted wins. */
export function useKeys(bindings: Binding[]): void {
  const layer = useRef(bindings);
  layer.current = bindings;
  useEffect(() => {
    layers.push(layer);
    return () => void layers.splice(layers.indexOf(layer), 1);
  }, []);
}

/** Every key that does something now, for the list behind `?`. */
export function bound(): Binding[] {
  return layers.flatMap((layer) => layer.current).filter((binding) => !binding.hidden);
}

const TYPING = "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select";
const PRESSING = "button, a[href], input, select, textarea, summary";

/** Listens to the keyboard for the whole page. */
export function listen(): void {
  window.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target?.closest(TYPING) && event.key !== "Escape") return;
    if ((event.key === "Enter" || event.key === " ") && target?.closest(PRESSING)) return;
    if (target?.matches("input[type=range], input[type=radio]") && event.key.startsWith("Arrow")) return;
    const binding = find(event);
    if (!binding || (event.repeat && !event.key.startsWith("Arrow") && !"+-,.<>[]jk".includes(event.key))) return;
    event.preventDefault();
    binding.run();
  });
}

/** Does what a key does, for whoever points at its name. */
export function press(key: string): void {
  find(new KeyboardEvent("keydown", { key }))?.run();
}

function find(event: KeyboardEvent): Binding | undefined {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  for (const layer of [...layers].reverse()) {
    const found = layer.current.find((b) => b.key === key && (b.shift === undefined || b.shift === event.shiftKey));
    if (found) return found;
  }
  return undefined;
}
