import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Finding, StudyView } from "../api/types";
import { nameOf } from "../decision/draft";
import type { Binding } from "../keys";
import type { Film } from "../viewer/film";
import type { ColourMap } from "../viewer/maps";
import type { Measure } from "../viewer/scene";
import type { Tool } from "./film-view";

/** How a study is looked at: tool, map, stack, prior. Nothing here is decided or sent. */
export type Looking = ReturnType<typeof useLooking>;

export function useLooking(study: StudyView) {
  const [active, setActive] = useState<string | null>(() => firstOf(study));
  const [place, setPlace] = useState(() => placeOf(study, findingOf(study, firstOf(study))));
  const [tool, setTool] = useState<Tool>("window");
  const [isMapShown, setMapShown] = useState(false);
  const [isContour, setContour] = useState(false);
  const [opacity, setOpacity] = useState(0.6);
  const [colours, setColours] = useState<ColourMap>("ember");
  const [isPriorShown, setPriorShown] = useState(false);
  const [measures, setMeasures] = useState<Measure[]>([]);
  const film = useRef<Film | null>(null);
  const ranked = useMemo(() => study.findings.filter((finding) => finding.positive), [study]);

  const choose = useCallback(
    (name: string) => {
      setActive(name);
      const finding = findingOf(study, name);
      if (finding && finding.maps.length > 0) setPlace(placeOf(study, finding));
    },
    [study],
  );
  // What was hidden until an opinion was given comes with new findings.
  useEffect(() => {
    if (!active && firstOf(study)) choose(firstOf(study)!);
  }, [study, active, choose]);

  const images = study.series[place.series]?.images ?? [];
  const step = (by: number) =>
    setPlace((at) => ({ ...at, index: Math.max(0, Math.min(images.length - 1, at.index + by)) }));
  const evidenceStep = (by: number) => {
    const key = findingOf(study, active)?.key;
    const next = key ? nextWith(images, place.index, by, key) : null;
    if (next !== null) setPlace({ ...place, index: next });
  };
  const rank = (by: number) => {
    const at = ranked.findIndex((finding) => nameOf(finding) === active);
    const next = ranked[Math.max(0, Math.min(ranked.length - 1, at + by))];
    if (next) choose(nameOf(next));
  };
  const turnMap = () => active && setMapShown((shown) => !shown);
  const looking = {
    active, choose, place, setPlace, tool, setTool, isMapShown, setMapShown, isContour, opacity, setOpacity,
    colours, setColours, isPriorShown, setPriorShown, measures, film, images, turnMap,
    addMeasure: (measure: Measure) => setMeasures((all) => [...all, measure]),
    clearMeasures: () => setMeasures([]),
    turnContour: () => {
      if (!active) return;
      setContour((on) => !on);
      setMapShown(true);
    },
    turnPrior: () => study.priors.length > 0 && setPriorShown((shown) => !shown),
  };
  const keys: Binding[] = [
    ...toolKeys(setTool),
    ...filmKeys(film, () => setMeasures([])),
    { key: "h", label: "Map of the finding", group: "Map", run: () => void turnMap() },
    { key: "c", label: "Contour instead of colour", group: "Map", run: looking.turnContour },
    { key: "[", label: "Map fainter", group: "Map", run: () => setOpacity((o) => Math.max(0.1, o - 0.1)) },
    { key: "]", label: "Map stronger", group: "Map", run: () => setOpacity((o) => Math.min(1, o + 0.1)) },
    { key: "p", label: "Prior beside it", group: "Study", run: looking.turnPrior },
    { key: "j", label: "Next finding", group: "Study", run: () => rank(1) },
    { key: "k", label: "Previous finding", group: "Study", run: () => rank(-1) },
    { key: "ArrowDown", label: "Next image", group: "Stack", run: () => step(1), shift: false },
    { key: "ArrowUp", label: "Previous image", group: "Stack", run: () => step(-1), shift: false },
    { key: "n", label: "Next image with evidence", group: "Stack", run: () => evidenceStep(1), shift: false },
    { key: "n", label: "Previous image with evidence", group: "Stack", run: () => evidenceStep(-1), shift: true },
    { key: "s", label: "Next series", group: "Stack", run: () => setPlace((at) => ({ series: (at.series + 1) % Math.max(1, study.series.length), index: 0 })) },
  ];
  return { ...looking, keys };
}

function toolKeys(setTool: (tool: Tool) => void): Binding[] {
  const tool = (key: string, label: string, name: Tool): Binding => ({ key, label, group: "Image", run: () => setTool(name) });
  return [
    tool("w", "Window by dragging", "window"),
    tool("z", "Zoom by dragging", "zoom"),
    tool("v", "Move by dragging", "pan"),
    tool("l", "Length", "length"),
    tool("g", "Angle", "angle"),
  ];
}

function filmKeys(film: { current: Film | null }, clear: () => void): Binding[] {
  const does = (key: string, label: string, run: (film: Film) => void, shift?: boolean): Binding => ({
    key,
    label,
    group: "Image",
    run: () => film.current && run(film.current),
    ...(shift === undefined ? {} : { shift }),
  });
  const quiet = (key: string, run: (film: Film) => void): Binding => ({ ...does(key, "Move the picture", run, true), hidden: true });
  const windowed = (stretch: number, shift: number) => (shown: Film) => {
    const { center, width } = shown.window;
    shown.window = { center: center + shift * width, width: width * stretch };
  };
  return [
    does("i", "Invert", (shown) => shown.invert()),
    does("r", "Turn by 90°", (shown) => shown.rotateBy(90)),
    does("0", "Reset", (shown) => {
      shown.reset();
      clear();
    }),
    does("+", "Larger", (shown) => shown.zoomBy(1.25)),
    does("-", "Smaller", (shown) => shown.zoomBy(0.8)),
    does(",", "More contrast", windowed(0.9, 0)),
    does(".", "Less contrast", windowed(1 / 0.9, 0)),
    does("<", "Brighter", windowed(1, -0.05)),
    does(">", "Darker", windowed(1, 0.05)),
    does("ArrowLeft", "Move the picture (and → ↑ ↓)", (shown) => shown.panBy(-40, 0), true),
    quiet("ArrowRight", (shown) => shown.panBy(40, 0)),
    quiet("ArrowUp", (shown) => shown.panBy(0, -40)),
    quiet("ArrowDown", (shown) => shown.panBy(0, 40)),
  ];
}

function findingOf(study: StudyView, name: string | null): Finding | undefined {
  return study.findings.find((finding) => nameOf(finding) === name);
}

/** The finding that stands first: the one the server calls primary, else the first it calls positive. */
function firstOf(study: StudyView): string | null {
  const first = study.findings.find((f) => f.is_primary) ?? study.findings.find((f) => f.positive);
  return first ? nameOf(first) : null;
}

/** Where a finding shows best, by the evidence the server states; else the first image. */
function placeOf(study: StudyView, finding: Finding | undefined): { series: number; index: number } {
  let best = { series: 0, index: 0, share: 0 };
  const wanted = new Set(finding?.maps.map((map) => map.image_key));
  study.series.forEach(({ images }, series) =>
    images.forEach((image, index) => {
      const share = (finding && image.evidence[finding.key]) ?? (wanted.has(image.image_key) ? 1e-6 : 0);
      if (share > best.share) best = { series, index, share };
    }),
  );
  return { series: best.series, index: best.index };
}

function nextWith(images: StudyView["series"][number]["images"], from: number, by: number, key: string): number | null {
  for (let at = from + by; at >= 0 && at < images.length; at += by) if ((images[at]!.evidence[key] ?? 0) > 0) return at;
  return null;
}
