import { Enums, RenderingEngine, cache, init, utilities, type Types } from "@cornerstonejs/core";
import type { Image, Point } from "../api/types";
import { blank, forgetImages, imageIdOf, registerPixels, spacingOf } from "./pixels";

/** Six numbers of a canvas transformation: image (column, row) to CSS pixels of the viewport. */
export type Affine = [number, number, number, number, number, number];
export type Window = { center: number; width: number };
/** How a film is looked at, relative to how it was first shown, so that two films can follow one another. */
export type Look = { window: { shift: number; stretch: number }; zoom: number; pan: Point; rotation: number; isInverted: boolean };

let engine: RenderingEngine | null = null;
let count = 0;

/** Starts cornerstone once; with WebGL where there is one, else on the CPU. */
export function startViewer(): RenderingEngine {
  if (engine) return engine;
  init({ rendering: { webGlContextCount: 2 } } as never);
  cache.setMaxCacheSize(768 * 1024 * 1024);
  registerPixels();
  engine = new RenderingEngine("radiolucent");
  return engine;
}

/** Draws one blank picture out of sight, so that the first film does not wait for the viewer to get ready. */
export async function warmViewer(): Promise<void> {
  if (engine) return;
  startViewer();
  const place = document.createElement("div");
  place.className = "out-of-sight";
  document.body.append(place);
  let drawn: () => void = () => undefined;
  const isDrawn = new Promise<void>((done) => (drawn = done));
  const film = new Film(place, () => drawn());
  await film.show([blank()], 0);
  await isDrawn;
  film.close();
  place.remove();
}

/** Lets go of every pixel of the study that was shown. */
export function dropPixels(): void {
  cache.purgeCache();
  forgetImages();
}

/** One viewport with a stack of images. Coordinates given and taken are source pixels (row, column). */
export class Film {
  readonly #id = `film-${count++}`;
  readonly #engine = startViewer();
  readonly #viewport: Types.IStackViewport;
  readonly #sizes: ResizeObserver;
  #images: Image[] = [];
  #first: Window = { center: 0, width: 1 };
  #rotation = 0;
  #isInverted = false;
  #isReady = false;
  #isFitted = true;

  constructor(
    readonly element: HTMLDivElement,
    private readonly changed: () => void,
  ) {
    this.#engine.enableElement({
      viewportId: this.#id,
      type: Enums.ViewportType.STACK,
      element,
      defaultOptions: { background: [0, 0, 0] },
    });
    this.#viewport = this.#engine.getStackViewport(this.#id);
    element.addEventListener(Enums.Events.IMAGE_RENDERED, this.#rendered);
    this.#sizes = new ResizeObserver(() => this.#resized());
    this.#sizes.observe(element);
  }

  close(): void {
    this.#sizes.disconnect();
    this.element.removeEventListener(Enums.Events.IMAGE_RENDERED, this.#rendered);
    this.#engine.disableElement(this.#id);
  }

  /** Shows a stack from its `index` on; resolves when that image is drawn. */
  async show(images: Image[], index: number): Promise<void> {
    this.#images = images;
    this.#isReady = false;
    this.#rotation = 0;
    this.#isInverted = false;
    this.#isFitted = true;
    await this.#viewport.setStack(images.map(imageIdOf), index);
    this.#first = this.window;
    this.#isReady = true;
    this.#viewport.render();
  }

  /** Another image of the stack; window and camera stay. */
  async goTo(index: number): Promise<void> {
    if (!this.#isReady || index === this.index) return;
    await this.#viewport.setImageIdIndex(index);
  }

  get index(): number {
    return this.#viewport.getTargetImageIdIndex();
  }

  get image(): Image | undefined {
    return this.#images[this.index];
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Transformation from (column, row) of the image to CSS pixels of the element, out of three corners. */
  get affine(): Affine | null {
    const image = this.image;
    if (!this.#isReady || !image) return null;
    const at = (row: number, column: number) => this.#worldToCanvas(image, row, column);
    const [x0, y0] = at(0, 0);
    const [x1, y1] = at(0, image.columns);
    const [x2, y2] = at(image.rows, 0);
    const across: Point = [(x1 - x0) / image.columns, (y1 - y0) / image.columns];
    const down: Point = [(x2 - x0) / image.rows, (y2 - y0) / image.rows];
    return [across[0], across[1], down[0], down[1], x0, y0];
  }

  #worldToCanvas(image: Image, row: number, column: number): Types.Point2 {
    const spacing = spacingOf(image);
    return this.#viewport.worldToCanvas([column * spacing.column, row * spacing.row, 0]);
  }

  /** (row, column) under a point of the element. */
  imagePoint(x: number, y: number): Point | null {
    const affine = this.affine;
    if (!affine) return null;
    const [a, b, c, d, e, f] = affine;
    const determinant = a * d - b * c;
    return [(a * (y - f) - b * (x - e)) / determinant, (d * (x - e) - c * (y - f)) / determinant];
  }

  get window(): Window {
    const range = this.#viewport.getProperties().voiRange ?? { lower: 0, upper: 1 };
    const { windowCenter, windowWidth } = utilities.windowLevel.toWindowLevel(range.lower, range.upper);
    return { center: windowCenter, width: windowWidth };
  }

  set window(to: Window) {
    const width = Math.max(1, to.width);
    this.#viewport.setProperties({ voiRange: utilities.windowLevel.toLowHighRange(width, to.center) });
    this.#viewport.render();
  }

  get zoom(): number {
    return this.#viewport.getZoom();
  }

  /** Screen pixels for one image pixel. */
  get magnification(): number {
    const affine = this.affine;
    return affine ? Math.hypot(affine[0], affine[1]) : 0;
  }

  /** Zooms by a factor; the image point under (x, y) stays there. */
  zoomBy(factor: number, x = this.element.clientWidth / 2, y = this.element.clientHeight / 2): void {
    const kept = this.imagePoint(x, y);
    const image = this.image;
    if (!kept || !image) return;
    this.#isFitted = false;
    this.#viewport.setZoom(Math.min(40, Math.max(0.2, this.zoom * factor)));
    const [nowX, nowY] = this.#worldToCanvas(image, kept[0], kept[1]);
    this.panBy(x - nowX, y - nowY);
  }

  /** Moves the picture by CSS pixels. */
  panBy(dx: number, dy: number): void {
    const from = this.#viewport.canvasToWorld([0, 0]);
    const to = this.#viewport.canvasToWorld([dx, dy]);
    const { focalPoint, position } = this.#viewport.getCamera();
    if (!focalPoint || !position) return;
    this.#isFitted = false;
    const moved = (point: Types.Point3): Types.Point3 => [
      point[0] - (to[0] - from[0]),
      point[1] - (to[1] - from[1]),
      point[2] - (to[2] - from[2]),
    ];
    this.#viewport.setCamera({ focalPoint: moved(focalPoint), position: moved(position) });
    this.#viewport.render();
  }

  rotateBy(degrees: number): void {
    this.#rotation = (this.#rotation + degrees + 360) % 360;
    this.#viewport.setViewPresentation({ rotation: this.#rotation });
    this.#viewport.render();
  }

  invert(): void {
    this.#isInverted = !this.#isInverted;
    const starts = this.image?.photometric === "MONOCHROME1";
    this.#viewport.setProperties({ invert: starts !== this.#isInverted });
    this.#viewport.render();
  }

  reset(): void {
    if (this.#isInverted) this.invert();
    this.#rotation = 0;
    this.#viewport.setViewPresentation({ rotation: 0 });
    this.#viewport.resetCamera();
    this.#isFitted = true;
    this.window = this.#first;
  }

  get look(): Look {
    const { center, width } = this.window;
    const middle = this.imagePoint(this.element.clientWidth / 2, this.element.clientHeight / 2) ?? [0, 0];
    const image = this.image;
    return {
      window: { shift: (center - this.#first.center) / this.#first.width, stretch: width / this.#first.width },
      zoom: this.zoom,
      pan: image ? [middle[0] / image.rows, middle[1] / image.columns] : [0.5, 0.5],
      rotation: this.#rotation,
      isInverted: this.#isInverted,
    };
  }

  /** Follows another film: the same change of window, the same zoom, the same place in the middle. */
  set look(to: Look) {
    const image = this.image;
    if (!this.#isReady || !image) return;
    if (to.isInverted !== this.#isInverted) this.invert();
    if (to.rotation !== this.#rotation) this.rotateBy(to.rotation - this.#rotation);
    this.window = {
      center: this.#first.center + to.window.shift * this.#first.width,
      width: this.#first.width * to.window.stretch,
    };
    this.#viewport.setZoom(to.zoom);
    const [x, y] = this.#worldToCanvas(image, to.pan[0] * image.rows, to.pan[1] * image.columns);
    this.panBy(this.element.clientWidth / 2 - x, this.element.clientHeight / 2 - y);
  }

  #refit(): void {
    this.#viewport.resetCamera();
    this.#viewport.setViewPresentation({ rotation: this.#rotation });
    this.#viewport.render();
  }

  #rendered = (): void => {
    if (!this.#isReady) return;
    this.element.dataset["shown"] = String(this.image?.image_key ?? "");
    this.changed();
  };

  #resized(): void {
    if (this.element.clientWidth === 0 || this.element.clientHeight === 0) return;
    this.#engine.resize(true, true);
    // What filled its place fills it still; what was zoomed keeps its place.
    if (this.#isReady && this.#isFitted) this.#refit();
    this.changed();
  }
}
