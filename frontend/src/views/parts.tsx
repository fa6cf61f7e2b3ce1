import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { problemOf } from "../api/client";
import type { Confidence } from "../api/types";

/** Nothing yet; says so to a screen reader as well. */
export function Waiting() {
  return (
    <p class="empty" role="status">
      Loading…
    </p>
  );
}

/** What went wrong and what to do. */
export function Trouble({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const problem = problemOf(error);
  return (
    <div class="trouble" role="alert">
      <p>{problem.text}</p>
      <p class="dim">
        <code>{problem.code}</code>
      </p>
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

const STEPS: Record<Confidence, number> = { high: 3, moderate: 2, low: 1 };

/** Three strokes, filled as far as the word says; the word stands beside it. */
export function Strokes({ confidence }: { confidence: Confidence }) {
  return (
    <span class={`strokes ${confidence}`} aria-hidden="true">
      {[1, 2, 3].map((step) => (
        <i key={step} class={step <= STEPS[confidence] ? "on" : ""} />
      ))}
    </span>
  );
}

/** A key as it is printed on the keyboard. */
export function Key({ children }: { children: ComponentChildren }) {
  return <kbd aria-hidden="true">{children}</kbd>;
}

/** A label with its field. */
export function Field({ label, children, note }: { label: string; children: ComponentChildren; note?: string }) {
  return (
    <label class="field">
      <span>{label}</span>
      {children}
      {note && <small>{note}</small>}
    </label>
  );
}

/** A dialog over the page: Escape closes it, the focus comes back to where it was. */
export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  return (
    <dialog ref={dialog} aria-label={title} onClose={onClose} onKeyDown={(event) => event.stopPropagation()}>
      <header>
        <h2>{title}</h2>
        <button type="button" class="quiet" onClick={() => dialog.current?.close()} title="Close">
          Esc
        </button>
      </header>
      {children}
    </dialog>
  );
}
