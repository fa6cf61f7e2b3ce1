import { bytes } from "../api/client";
import type { FindingMap } from "../api/types";
import tables from "./colours.json";

export type ColourMap = keyof typeof tables;
export const COLOUR_MAPS = Object.keys(tables) as ColourMap[];

/** A map's grid as the server computed it: 0 nothing, 1 to 255 from threshold to strong. */
type Grid = { values: Uint8Array; rows: number; columns: number };

const grids = new Map<string, Promise<Grid>>();
const pictures = new Map<string, HTMLCanvasElement>();

/** Lets go of every map of the study that was shown. */
export function dropMaps(): void {
  grids.clear();
  pictures.clear();
}

/** A map in colour, ready to be stretched over its image. */
export async function picture(map: FindingMap, colours: ColourMap): Promise<HTMLCanvasElement> {
  const name = `${map.url} ${colours}`;
  const made = pictures.get(name);
  if (made) return made;
  const canvas = coloured(await grid(map), colours);
  pictures.set(name, canvas);
  return canvas;
}

/** A picture that is already there. */
export function pictureNow(map: FindingMap, colours: ColourMap): HTMLCanvasElement | null {
  return pictures.get(`${map.url} ${colours}`) ?? null;
}

function grid(map: FindingMap): Promise<Grid> {
  const asked = grids.get(map.url);
  if (asked) return asked;
  const asking = bytes(map.url, "application/octet-stream").then((buffer) => {
    if (buffer.byteLength !== map.rows * map.columns) throw new Error("a map of another size than announced");
    return { values: new Uint8Array(buffer), rows: map.rows, columns: map.columns };
  });
  asking.catch(() => grids.delete(map.url));
  grids.set(map.url, asking);
  return asking;
}

/** Red, green, blue of each of the 256 steps. */
export function table(colours: ColourMap): Uint8Array {
  const hex = tables[colours];
  return Uint8Array.from({ length: 768 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

function coloured({ values, rows, columns }: Grid, colours: ColourMap): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(columns, rows);
  const words = new Uint32Array(image.data.buffer);
  const lut = packed(colours);
  for (let i = 0; i < values.length; i++) words[i] = lut[values[i]!]!;
  context.putImageData(image, 0, 0);
  return canvas;
}

const FADE = 40;

/** Little-endian RGBA; the weakest steps fade in, so that the border is no false edge. */
function packed(colours: ColourMap): Uint32Array {
  const rgb = table(colours);
  return Uint32Array.from({ length: 256 }, (_, step) => {
    const alpha = step === 0 ? 0 : Math.round(255 * Math.min(1, (step + 12) / FADE));
    return ((alpha << 24) | (rgb[3 * step + 2]! << 16) | (rgb[3 * step + 1]! << 8) | rgb[3 * step]!) >>> 0;
  });
}
