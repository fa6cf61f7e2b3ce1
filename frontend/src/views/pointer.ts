import { useEffect } from "preact/hooks";
import type { Image, Point, Region } from "../api/types";
import type { Film } from "../viewer/film";
import type { Measure } from "../viewer/scene";
import type { Tool } from "./film-view";

type Ref<T> = { current: T };
type Latest = Ref<{
  images: Image[];
  index: number;
  tool: Tool;
  onIndex: (index: number) => void;
  onMeasure?: (measure: Measure) => void;
  onRegion?: (region: Region | null) => void;
}>;
type Drag = { tool: Tool; x: number; y: number; startX: number; startY: number };

/** Wheel, drags and clicks on a film. */
export function usePointer(
  paper: Ref<HTMLCanvasElement | null>,
  film: Ref<Film | null>,
  latest: Latest,
  sketch: Ref<Point[]>,
  redraw: () => void,
): void {
  useEffect(() => {
    const canvas = paper.current!;
    const pointing = new Pointing(canvas, film, latest, sketch, redraw);
    const stop = new AbortController();
    const on = (name: string, then: (event: never) => void) =>
      canvas.addEventListener(name, then as EventListener, { signal: stop.signal, passive: false });
    on("wheel", pointing.wheel);
    on("pointerdown", pointing.down);
    on("pointermove", pointing.move);
    on("pointerup", pointing.up);
    on("contextmenu", (event: Event) => event.preventDefault());
    return () => stop.abort();
  }, [paper, film, latest, sketch, redraw]);
}

class Pointing {
  #drag: Drag | null = null;
  #wheeled = 0;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly film: Ref<Film | null>,
    private readonly latest: Latest,
    private readonly sketch: Ref<Point[]>,
    private readonly redraw: () => void,
  ) {}

  wheel = (event: WheelEvent): void => {
    event.preventDefault();
    const { images, index, onIndex } = this.latest.current;
    if (images.length < 2 || event.ctrlKey) {
      this.film.current?.zoomBy(Math.exp(-event.deltaY / 500), event.offsetX, event.offsetY);
      return;
    }
    this.#wheeled += event.deltaMode === 0 ? event.deltaY / 60 : event.deltaY;
    const steps = Math.trunc(this.#wheeled);
    this.#wheeled -= steps;
    if (steps) onIndex(Math.max(0, Math.min(images.length - 1, index + steps)));
  };

  down = (event: PointerEvent): void => {
    const tool = event.button === 1 ? "pan" : event.button === 2 ? "zoom" : this.latest.current.tool;
    const point = this.film.current?.imagePoint(event.offsetX, event.offsetY);
    if (!point) return;
    event.preventDefault();
    if (tool === "polygon" || tool === "angle") {
      this.#click(tool, point, event.detail);
      return;
    }
    this.canvas.setPointerCapture(event.pointerId);
    const at = { x: event.offsetX, y: event.offsetY };
    this.#drag = { tool, ...at, startX: at.x, startY: at.y };
    if (tool === "box" || tool === "length") this.sketch.current = [point, point];
  };

  move = (event: PointerEvent): void => {
    const film = this.film.current;
    const point = film?.imagePoint(event.offsetX, event.offsetY);
    if (!film || !point) return;
    if (!this.#drag) {
      this.#hover(point);
      return;
    }
    const drag = this.#drag;
    const [dx, dy] = [event.offsetX - drag.x, event.offsetY - drag.y];
    if (drag.tool === "pan") film.panBy(dx, dy);
    else if (drag.tool === "zoom") film.zoomBy(Math.exp(-dy / 200), drag.startX, drag.startY);
    else if (drag.tool === "window") shiftWindow(film, dx, dy);
    else {
      this.sketch.current = [this.sketch.current[0] ?? point, point];
      this.redraw();
    }
    [drag.x, drag.y] = [event.offsetX, event.offsetY];
  };

  up = (event: PointerEvent): void => {
    const drag = this.#drag;
    this.#drag = null;
    if (!drag || (drag.tool !== "box" && drag.tool !== "length")) return;
    const moved = Math.hypot(event.offsetX - drag.startX, event.offsetY - drag.startY) > 4;
    const points = this.sketch.current;
    this.sketch.current = [];
    if (moved) this.#finish(drag.tool, points);
    this.redraw();
  };

  /** The point under way follows the pointer. */
  #hover(point: Point): void {
    const { tool } = this.latest.current;
    if ((tool !== "polygon" && tool !== "angle") || this.sketch.current.length === 0) return;
    this.sketch.current = [...this.sketch.current.slice(0, -1), point];
    this.redraw();
  }

  /** Points of a polygon or an angle, one a click; two clicks at once close a polygon. */
  #click(tool: "polygon" | "angle", point: Point, clicks: number): void {
    const fixed = this.sketch.current.slice(0, -1);
    const isDone = tool === "angle" ? fixed.length === 2 : clicks > 1 && fixed.length >= 3;
    if (isDone) {
      this.sketch.current = [];
      this.#finish(tool, tool === "angle" ? [...fixed, point] : fixed);
    } else if (clicks < 2) {
      this.sketch.current = [...fixed, point, point];
    }
    this.redraw();
  }

  #finish(tool: Tool, points: Point[]): void {
    const image = this.film.current?.image;
    if (!image) return;
    const { onMeasure, onRegion } = this.latest.current;
    if (tool === "length" || tool === "angle") onMeasure?.({ kind: tool, image_key: image.image_key, points });
    else if (tool === "box" || tool === "polygon") {
      const within = points.map(([row, column]): Point => [
        Math.round(Math.max(0, Math.min(image.rows - 1, row)) * 10) / 10,
        Math.round(Math.max(0, Math.min(image.columns - 1, column)) * 10) / 10,
      ]);
      onRegion?.({ image_key: image.image_key, kind: tool, points: within });
    }
  }
}

/** Sideways: contrast; up and down: brightness. */
function shiftWindow(film: Film, dx: number, dy: number): void {
  const { center, width } = film.window;
  const step = Math.max(1, width) / 400;
  film.window = { center: center + dy * step, width: Math.max(1, width + dx * step * 1.5) };
}
