import type { Finding, StudyView } from "../api/types";
import type { Tool } from "./film-view";
import type { Looking } from "./looking";
import { Key } from "./parts";

const TOOLS: { tool: Tool; label: string; key: string }[] = [
  { tool: "window", label: "W/L", key: "W" },
  { tool: "zoom", label: "Zoom", key: "Z" },
  { tool: "pan", label: "Move", key: "V" },
  { tool: "length", label: "Length", key: "L" },
  { tool: "angle", label: "Angle", key: "G" },
];

/** The tools at the left; each has its key. */
export function ToolColumn({ looking, study, finding }: { looking: Looking; study: StudyView; finding: Finding | null }) {
  const { film } = looking;
  return (
    <nav class="tools" aria-label="Tools">
      {TOOLS.map(({ tool, label, key }) => (
        <button key={tool} type="button" aria-pressed={looking.tool === tool} onClick={() => looking.setTool(tool)}>
          {label}
          <Key>{key}</Key>
        </button>
      ))}
      <hr />
      <button type="button" onClick={() => film.current?.invert()}>
        Invert<Key>I</Key>
      </button>
      <button type="button" onClick={() => film.current?.rotateBy(90)}>
        Turn<Key>R</Key>
      </button>
      <button
        type="button"
        onClick={() => {
          film.current?.reset();
          looking.clearMeasures();
        }}
      >
        Reset<Key>0</Key>
      </button>
      <hr />
      <button type="button" aria-pressed={looking.isMapShown} disabled={!finding} onClick={looking.turnMap}>
        Map<Key>H</Key>
      </button>
      <button type="button" aria-pressed={looking.isContour} disabled={!finding} onClick={looking.turnContour}>
        Contour<Key>C</Key>
      </button>
      <button type="button" aria-pressed={looking.isPriorShown} disabled={study.priors.length === 0} onClick={looking.turnPrior}>
        Prior<Key>P</Key>
      </button>
    </nav>
  );
}
