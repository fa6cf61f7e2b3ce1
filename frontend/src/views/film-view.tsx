import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Image, Point, Region } from "../api/types";
import { Film } from "../viewer/film";
import { draw, type Measure, type Scene } from "../viewer/scene";
import { usePointer } from "./pointer";

export type Tool = "window" | "zoom" | "pan" | "length" | "angle" | "box" | "polygon";
type Props = {
  label: string;
  images: Image[];
  index: number;
  tool: Tool;
  scene: Scene;
  onIndex: (index: number) => void;
  onFilm?: (film: Film | null) => void;
  onChanged?: (film: Film) => void;
  onMeasure?: (measure: Measure) => void;
  onRegion?: (region: Region | null) => void;
  children?: ComponentChildren;
};

/** A film with what is drawn above it. */
export function FilmView(props: Props) {
  const place = useRef<HTMLDivElement>(null);
  const paper = useRef<HTMLCanvasElement>(null);
  const film = useRef<Film | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [readout, setReadout] = useState("");
  const [hasFailed, setFailed] = useState(false);
  const sketch = useRef<Point[]>([]);

  const redraw = useCallback(() => {
    const shown = film.current;
    if (!shown || !paper.current) return;
    draw(paper.current, shown.affine, shown.image, sketched(latest.current, shown.image, sketch.current));
  }, []);

  useEffect(() => {
    const made = new Film(place.current!, () => {
      redraw();
      setReadout(readoutOf(made));
      latest.current.onChanged?.(made);
    });
    film.current = made;
    return () => {
      latest.current.onFilm?.(null);
      film.current = null;
      made.close();
    };
  }, [redraw]);

  // The same pictures told anew (with what was hidden before) are no reason to lose window and zoom.
  const stack = props.images.map((image) => image.frames_url).join(" ");
  useEffect(() => {
    const made = film.current;
    if (!made || props.images.length === 0) return;
    setFailed(false);
    made.show(props.images, latest.current.index).then(
      () => film.current === made && latest.current.onFilm?.(made),
      () => setFailed(true),
    );
  }, [stack]);
  useEffect(() => void film.current?.goTo(props.index).catch(() => setFailed(true)), [props.index]);
  useLayoutEffect(redraw);

  usePointer(paper, film, latest, sketch, redraw);
  return (
    <figure class={`film tool-${props.tool}`}>
      <div class="pixels" ref={place} />
      <canvas class="paper" ref={paper} role="img" aria-label={props.label} />
      <figcaption class="readout">{readout}</figcaption>
      {hasFailed && (
        <p class="film-trouble" role="alert">
          This image could not be shown.
        </p>
      )}
      {props.children}
    </figure>
  );
}

/** The scene with what the pointer is drawing at this moment. */
function sketched({ tool, scene }: Props, image: Image | undefined, points: Point[]): Scene {
  if (!image || points.length === 0) return scene;
  if (tool === "length" || tool === "angle") {
    return { ...scene, measures: [...scene.measures, { kind: tool, image_key: image.image_key, points }] };
  }
  if (tool !== "box" && tool !== "polygon") return scene;
  const region: Region = { image_key: image.image_key, kind: tool, points };
  return { ...scene, regions: [...scene.regions.filter((other) => !other.isActive), { region, isActive: true }] };
}

function readoutOf(film: Film): string {
  const { center, width } = film.window;
  return `W ${Math.round(width)}  L ${Math.round(center)}   zoom ${film.magnification.toFixed(2)}`;
}
