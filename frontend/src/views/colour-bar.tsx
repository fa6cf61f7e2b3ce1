import { useEffect, useRef } from "preact/hooks";
import type { FindingMap } from "../api/types";
import { table } from "../viewer/maps";
import type { Looking } from "./looking";

/** The absolute scale of the map, and how strongly it is painted. */
export function ColourBar({ map, looking }: { map: FindingMap; looking: Looking }) {
  const bar = useRef<HTMLCanvasElement>(null);
  const { colours, opacity, setOpacity } = looking;
  useEffect(() => {
    const canvas = bar.current!;
    const context = canvas.getContext("2d")!;
    const rgb = table(colours);
    for (let step = 0; step < 256; step++) {
      context.fillStyle = `rgb(${rgb[3 * step]},${rgb[3 * step + 1]},${rgb[3 * step + 2]})`;
      context.fillRect(0, 255 - step, 1, 1);
    }
  }, [colours]);
  const { threshold, strong, unit } = map.scale;
  return (
    <div class="colour-bar">
      <span title={unit}>strong {short(strong)}</span>
      <canvas ref={bar} width={1} height={256} aria-hidden="true" />
      <span title={unit}>shown from {short(threshold)}</span>
      <small>{unit}</small>
      {!map.is_painted && <small class="faint">no place is that strong: nothing is painted</small>}
      <input
        type="range"
        min="0.1"
        max="1"
        step="0.05"
        aria-label="Strength of the map"
        value={opacity}
        onInput={(event) => setOpacity(Number(event.currentTarget.value))}
      />
    </div>
  );
}

function short(value: number): string {
  return Math.abs(value) < 0.01 && value !== 0 ? value.toExponential(0) : value.toFixed(2);
}
