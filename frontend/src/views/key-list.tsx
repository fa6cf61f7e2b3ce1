import { bound, type Binding } from "../keys";
import { Dialog, Key } from "./parts";

const NAMES: Record<string, string> = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Enter: "⏎", Escape: "Esc" };

/** Every key that does something here and now. */
export function KeyList({ onClose }: { onClose: () => void }) {
  const groups = new Map<string, Binding[]>();
  for (const binding of bound()) groups.set(binding.group, [...(groups.get(binding.group) ?? []), binding]);
  return (
    <Dialog title="All keys" onClose={onClose}>
      <div class="key-list">
        {[...groups].map(([group, bindings]) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {bindings.map((binding) => (
                <div key={`${binding.key}${binding.shift}`}>
                  <dt>
                    {binding.shift && "Shift "}
                    <Key>{NAMES[binding.key] ?? binding.key.toUpperCase()}</Key>
                  </dt>
                  <dd>{binding.label}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <section>
          <h3>Mouse</h3>
          <dl>
            <div>
              <dt>wheel</dt>
              <dd>Images of a stack; zoom where there is one image, or with Ctrl</dd>
            </div>
            <div>
              <dt>middle drag</dt>
              <dd>Move the picture</dd>
            </div>
            <div>
              <dt>right drag</dt>
              <dd>Zoom</dd>
            </div>
          </dl>
        </section>
      </div>
    </Dialog>
  );
}
