import type { FindingMap, Image, Point, Region } from "../api/types";
import type { Affine } from "./film";

/** A length or an angle that the reader drew; in source pixels. */
export type Measure = { kind: "length" | "angle"; image_key: number; points: Point[] };

/** Everything drawn above the picture. */
export type Scene = {
  map: FindingMap | null;
  picture: HTMLCanvasElement | null;
  opacity: number;
  isContour: boolean;
  regions: { region: Region; isActive: boolean }[];
  measures: Measure[];
};

const LINE = "#ffd27a";
const REGION = "#8fd6ff";
const SIDE = "#cfd6de";
/** How far from the edges of the canvas a side is named, at least; on the right stand the colour bar and the stack. */
const EDGE = { left: 16, right: 68, top: 16, bottom: 16 };

/** Draws a scene with the viewport's own transformation; `image` tells spacing and size. */
export function draw(canvas: HTMLCanvasElement, affine: Affine | null, image: Image | undefined, scene: Scene): void {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d")!;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  // Chromium (156, without a graphics card) at times goes on showing what was cleared when nothing is drawn after it.
  // A map that stays must not be: the empty paper is made transparent as a whole.
  canvas.classList.toggle("blank", !affine || !image || isEmpty(scene, image));
  if (!affine || !image) return;
  const pen = new Pen(context, affine, ratio);
  if (scene.map && scene.map.image_key === image.image_key) {
    if (scene.isContour) pen.contours(scene.map.contours, scene.opacity);
    else if (scene.picture) pen.picture(scene.picture, image, scene.opacity);
  }
  for (const { region, isActive } of scene.regions) {
    if (region.image_key === image.image_key) pen.region(region, isActive);
  }
  for (const measure of scene.measures) if (measure.image_key === image.image_key) pen.measure(measure, image);
  if (image.sides) pen.sides(image.sides, image);
}

function isEmpty(scene: Scene, image: Image): boolean {
  const isHere = (thing: { image_key: number }) => thing.image_key === image.image_key;
  const hasMap = scene.map !== null && isHere(scene.map) && (scene.isContour || scene.picture !== null);
  return !hasMap && !image.sides && !scene.measures.some(isHere) && !scene.regions.some(({ region }) => isHere(region));
}

class Pen {
  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly affine: Affine,
    private readonly ratio: number,
  ) {}

  /** Where (row, column) is on the canvas, in its own pixels. */
  at([row, column]: Point): Point {
    const [a, b, c, d, e, f] = this.affine;
    return [(a * column + c * row + e) * this.ratio, (b * column + d * row + f) * this.ratio];
  }

  /** The map covers the whole image, whose first pixel's middle is (0, 0). */
  picture(picture: HTMLCanvasElement, image: Image, opacity: number): void {
    const [a, b, c, d, e, f] = this.affine.map((value) => value * this.ratio) as Affine;
    this.context.setTransform(a, b, c, d, e, f);
    this.context.globalAlpha = opacity;
    this.context.imageSmoothingEnabled = true;
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(picture, -0.5, -0.5, image.columns, image.rows);
    this.context.globalAlpha = 1;
    this.context.setTransform(1, 0, 0, 1, 0, 0);
  }

  contours(contours: Point[][], opacity: number): void {
    this.context.globalAlpha = Math.max(0.5, opacity);
    contours.forEach((points) => this.#line(points, { isClosed: true, colour: "#fca50a", width: 2 }));
    this.context.globalAlpha = 1;
  }

  region(region: Region, isActive: boolean): void {
    this.#line(outline(region), { isClosed: true, colour: REGION, width: isActive ? 2.5 : 1.5 });
    if (!isActive) return;
    for (const point of outline(region)) {
      const [x, y] = this.at(point);
      const side = 7 * this.ratio;
      this.context.fillStyle = REGION;
      this.context.fillRect(x - side / 2, y - side / 2, side, side);
    }
  }

  measure(measure: Measure, image: Image): void {
    this.#line(measure.points, { isClosed: false, colour: LINE, width: 1.5 });
    const last = measure.points[measure.points.length - 1];
    if (!last) return;
    const [x, y] = this.at(last);
    const text = measured(measure, image);
    this.context.font = `${13 * this.ratio}px system-ui, sans-serif`;
    this.#word(text, x + 8 * this.ratio, y - 8 * this.ratio, LINE);
  }

  /** The patient's sides in letters, each at its edge of the image, or at that of the canvas where the image goes beyond. */
  sides([left, right, top, bottom]: NonNullable<Image["sides"]>, image: Image): void {
    const [row, column] = [(image.rows - 1) / 2, (image.columns - 1) / 2];
    const { width, height } = this.context.canvas;
    const within = (at: number, most: number, before: number, after: number) =>
      Math.min(Math.max(at, before * this.ratio), most - after * this.ratio);
    this.context.font = `600 ${14 * this.ratio}px system-ui, sans-serif`;
    this.context.textAlign = "center";
    this.context.textBaseline = "middle";
    const places: [string, Point][] = [
      [left, [row, 0]],
      [right, [row, image.columns - 1]],
      [top, [0, column]],
      [bottom, [image.rows - 1, column]],
    ];
    for (const [letters, place] of places) {
      const [x, y] = this.at(place);
      const [to, down] = [within(x, width, EDGE.left, EDGE.right), within(y, height, EDGE.top, EDGE.bottom)];
      this.#word(letters, to, down, SIDE);
    }
    this.context.textAlign = "start";
    this.context.textBaseline = "alphabetic";
  }

  #word(text: string, x: number, y: number, colour: string): void {
    this.context.lineWidth = 3 * this.ratio;
    this.context.strokeStyle = "#000c";
    this.context.strokeText(text, x, y);
    this.context.fillStyle = colour;
    this.context.fillText(text, x, y);
  }

  #line(points: Point[], how: { isClosed: boolean; colour: string; width: number }): void {
    if (points.length === 0) return;
    const trace = () => {
      this.context.beginPath();
      points.forEach((point, i) => {
        const [x, y] = this.at(point);
        if (i === 0) this.context.moveTo(x, y);
        else this.context.lineTo(x, y);
      });
      if (how.isClosed) this.context.closePath();
      this.context.stroke();
    };
    this.context.lineJoin = "round";
    this.context.strokeStyle = "#000a";
    this.context.lineWidth = (how.width + 2) * this.ratio;
    trace();
    this.context.strokeStyle = how.colour;
    this.context.lineWidth = how.width * this.ratio;
    trace();
  }
}

/** The corners of a region. A box is kept as two opposite corners. */
export function outline(region: Region): Point[] {
  const [first, second] = region.points;
  if (region.kind === "polygon" || !first || !second) return region.points;
  return [first, [first[0], second[1]], second, [second[0], first[1]]];
}

/** What a measure says, in millimetres where the header states a spacing. */
export function measured(measure: Measure, image: Image): string {
  const [row, column] = image.pixel_spacing_mm ?? [1, 1];
  const unit = !image.pixel_spacing_mm ? "px" : image.spacing_kind === "detector" ? "mm at detector" : "mm";
  const vector = (from: Point, to: Point): Point => [(to[0] - from[0]) * row, (to[1] - from[1]) * column];
  const [p, q, r] = measure.points;
  if (!p || !q) return "";
  if (measure.kind === "length") return `${Math.hypot(...vector(p, q)).toFixed(1)} ${unit}`;
  if (!r) return "";
  const [u, v] = [vector(q, p), vector(q, r)];
  const cosine = (u[0] * v[0] + u[1] * v[1]) / (Math.hypot(...u) * Math.hypot(...v) || 1);
  return `${((Math.acos(Math.min(1, Math.max(-1, cosine))) * 180) / Math.PI).toFixed(1)}°`;
}
