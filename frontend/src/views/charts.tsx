import type { DriftChart, Interval } from "../api/types";
import { interval } from "../words";

type Mark = { share: Interval; kind: "right" | "wrong" };
export type ForestLine = { name: string; note: string; marks: Mark[] };

const ROW = 34;
const LEFT = 250;
const PLOT = 420;
const RIGHT = 170;

/** A share with its interval, as a line from 0 to 1 and in figures. */
export function Rate({ rate, kind = "right" }: { rate: Interval; kind?: Mark["kind"] }) {
  if (!rate) return <span class="dim">too few</span>;
  const [value, low, high] = rate.map((share) => share * 100) as [number, number, number];
  return (
    <span class={`rate ${kind}`}>
      <svg viewBox="0 0 100 10" aria-hidden="true" preserveAspectRatio="none">
        <rect x="0" y="4.5" width="100" height="1" class="rail" />
        <rect x={low} y="3" width={Math.max(0.5, high - low)} height="4" class="reach" />
        <rect x={Math.max(0, value - 0.8)} y="1" width="1.6" height="8" class="point" />
      </svg>
      {interval(rate)}
    </span>
  );
}

/** Shares with their intervals, one line for each name; its table stands beside it. */
export function Forest({ label, lines }: { label: string; lines: ForestLine[] }) {
  const height = ROW * lines.length + 30;
  const at = (share: number) => LEFT + share * PLOT;
  return (
    <svg class="forest" viewBox={`0 0 ${LEFT + PLOT + RIGHT} ${height}`} role="img" aria-label={label}>
      {[0, 0.25, 0.5, 0.75, 1].map((tick) => (
        <g key={tick}>
          <line x1={at(tick)} x2={at(tick)} y1="2" y2={height - 24} class="rail" />
          <text x={at(tick)} y={height - 8} text-anchor="middle" class="quiet">
            {tick}
          </text>
        </g>
      ))}
      {lines.map((line, row) => (
        <g key={line.name}>
          <text x={LEFT - 14} y={ROW * (row + 0.5) + 5} text-anchor="end">
            {line.name}
          </text>
          {line.marks.map(({ share, kind }, number) => share && <Reach key={kind} share={share} kind={kind} at={at} y={ROW * row + 12 + 11 * number} />)}
          <text x={LEFT + PLOT + 14} y={ROW * (row + 0.5) + 5} class="quiet">
            {line.note}
          </text>
        </g>
      ))}
    </svg>
  );
}

type ReachProps = { share: [number, number, number]; kind: Mark["kind"]; at: (share: number) => number; y: number };

function Reach({ share: [value, low, high], kind, at, y }: ReachProps) {
  return (
    <g class={kind}>
      <line x1={at(low)} x2={at(high)} y1={y} y2={y} class="reach" />
      {kind === "right" ? (
        <circle cx={at(value)} cy={y} r="4.5" class="point" />
      ) : (
        <path d={`M${at(value)} ${y - 5.5}l5.5 5.5l-5.5 5.5l-5.5 -5.5z`} class="point" />
      )}
    </g>
  );
}

const WIDE = 320;
const HIGH = 92;
const EDGE = 1.6;

/** A control chart between its limits, drawn at 1 and -1; what is beyond the picture stands at its edge. */
export function Control({ label, points }: { label: string; points: DriftChart["points"] }) {
  const x = (number: number) => 8 + (points.length < 2 ? 0 : (number / (points.length - 1)) * (WIDE - 16));
  const y = (share: number) => HIGH / 2 - (Math.max(-EDGE, Math.min(EDGE, share)) / EDGE) * (HIGH / 2 - 6);
  return (
    <svg class="control" viewBox={`0 0 ${WIDE} ${HIGH}`} role="img" aria-label={label}>
      <rect x="0" y={y(1)} width={WIDE} height={y(-1) - y(1)} class="band" />
      <line x1="0" x2={WIDE} y1={y(0)} y2={y(0)} class="rail" />
      <polyline points={points.map((point, number) => `${x(number)},${y(point.of_limit)}`).join(" ")} class="course" />
      {points.map((point, number) => point.is_alarm && <circle key={point.day} cx={x(number)} cy={y(point.of_limit)} r="4" class="alarm" />)}
    </svg>
  );
}
