import { cache, Enums, imageLoader, metaData, type Types } from "@cornerstonejs/core";
import { bytes } from "../api/client";
import type { Image } from "../api/types";

const SCHEME = "radiolucent";
const PLAIN = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1";
const known = new Map<string, Image>();

/** The name under which cornerstone loads an image: its address, because a prior counts its images from 0 as well. */
export function imageIdOf(image: Image): string {
  const id = `${SCHEME}:${image.frames_url}`;
  known.set(id, image);
  return id;
}

/** Tells cornerstone how to load our frames and what they are. */
export function registerPixels(): void {
  imageLoader.registerImageLoader(SCHEME, (id) => {
    const breaking = new AbortController();
    return { promise: load(id, breaking.signal) as never, cancelFn: () => breaking.abort() };
  });
  metaData.addProvider(describe, 10_000);
}

/** A small black picture that needs no request: what is drawn first compiles what every later picture uses. */
export function blank(): Image {
  const image: Image = {
    image_key: -1, frames_url: "", frame: 1, rows: 8, columns: 8, bits_allocated: 16, bits_stored: 12, is_signed: false,
    photometric: "MONOCHROME2", slope: 1, intercept: 0, window: { center: 2048, width: 4096 }, voi_function: "linear",
    pixel_spacing_mm: null, spacing_kind: "none", laterality: null, view: null, position_mm: null, orientation: null,
    sides: null, evidence: {},
  };
  const id = imageIdOf(image);
  cache.putImageLoadObject(id, { promise: Promise.resolve(made(id, image, new ArrayBuffer(128))) as never });
  return image;
}

/** Forgets images of a study that is closed. */
export function forgetImages(): void {
  known.clear();
}

/** The plane is the picture itself: one unit is one millimetre, or one pixel where no spacing is known. */
export function spacingOf(image: Image): { row: number; column: number } {
  const [row, column] = image.pixel_spacing_mm ?? [1, 1];
  return { row, column };
}

function describe(type: string, id: string): unknown {
  const image = known.get(id);
  if (!image) return undefined;
  const spacing = spacingOf(image);
  switch (type) {
    case "imagePixelModule":
      return {
        bitsAllocated: image.bits_allocated,
        bitsStored: image.bits_stored,
        highBit: image.bits_stored - 1,
        pixelRepresentation: image.is_signed ? 1 : 0,
        photometricInterpretation: image.photometric,
        samplesPerPixel: isColour(image) ? 3 : 1,
        rows: image.rows,
        columns: image.columns,
      };
    case "imagePlaneModule":
      return {
        frameOfReferenceUID: SCHEME,
        rows: image.rows,
        columns: image.columns,
        imageOrientationPatient: [1, 0, 0, 0, 1, 0],
        rowCosines: [1, 0, 0],
        columnCosines: [0, 1, 0],
        imagePositionPatient: [0, 0, 0],
        pixelSpacing: [spacing.row, spacing.column],
        rowPixelSpacing: spacing.row,
        columnPixelSpacing: spacing.column,
      };
    case "generalSeriesModule":
      return { modality: "OT" }; // The server scales values; no rule of a modality may scale them again.
    default:
      return undefined;
  }
}

function isColour(image: Image): boolean {
  return image.photometric === "RGB";
}

async function load(id: string, signal: AbortSignal): Promise<Types.IImage> {
  const image = known.get(id);
  if (!image) throw new Error("unknown image");
  return made(id, image, await bytes(image.frames_url, PLAIN, signal));
}

function made(id: string, image: Image, buffer: ArrayBuffer): Types.IImage {
  const values = isColour(image) ? new Uint8Array(buffer) : scaled(image, stored(image, buffer));
  const [low, high] = reach(image);
  const spacing = spacingOf(image);
  const window = image.window ?? windowOf(isColour(image) ? [0, 255] : range(values));
  return {
    imageId: id,
    minPixelValue: low,
    maxPixelValue: high,
    slope: 1,
    intercept: 0,
    isPreScaled: true,
    preScale: { enabled: true, scaled: true },
    windowCenter: window.center,
    windowWidth: window.width,
    voiLUTFunction: voiOf(image),
    getPixelData: () => values,
    getCanvas: () => document.createElement("canvas"),
    rows: image.rows,
    columns: image.columns,
    height: image.rows,
    width: image.columns,
    color: isColour(image),
    rgba: false,
    numberOfComponents: isColour(image) ? 3 : 1,
    rowPixelSpacing: spacing.row,
    columnPixelSpacing: spacing.column,
    invert: image.photometric === "MONOCHROME1",
    photometricInterpretation: image.photometric,
    sizeInBytes: values.byteLength,
    dataType: values.constructor.name as Types.PixelDataTypedArrayString,
    imageFrame: { pixelData: values } as never,
  };
}

function voiOf(image: Image): Enums.VOILUTFunctionType {
  switch (image.voi_function) {
    case "sigmoid":
      return Enums.VOILUTFunctionType.SAMPLED_SIGMOID;
    case "linear_exact":
      return Enums.VOILUTFunctionType.LINEAR_EXACT;
    default:
      return Enums.VOILUTFunctionType.LINEAR;
  }
}

type Stored = Uint8Array | Int8Array | Uint16Array | Int16Array;
type Values = Stored | Float32Array;

/** Stored values without what lies above `bits_stored` (overlays, garbage). */
function stored(image: Image, buffer: ArrayBuffer): Stored {
  const count = image.rows * image.columns;
  const size = image.bits_allocated > 8 ? 2 : 1;
  if (buffer.byteLength < count * size) throw new Error("a frame that is too short");
  const kind = size === 2 ? (image.is_signed ? Int16Array : Uint16Array) : image.is_signed ? Int8Array : Uint8Array;
  const values = new kind(buffer, 0, count);
  const spare = size * 8 - image.bits_stored;
  if (spare <= 0) return values;
  const left = 32 - image.bits_stored;
  if (image.is_signed) for (let i = 0; i < count; i++) values[i] = (values[i]! << left) >> left;
  else for (let i = 0, mask = 2 ** image.bits_stored - 1; i < count; i++) values[i] = values[i]! & mask;
  return values;
}

/** Slope and intercept as the header states them (PS3.3 C.11.1). */
function scaled(image: Image, values: Stored): Values {
  const { slope, intercept } = image;
  if (slope === 1 && intercept === 0) return values instanceof Int8Array ? Int16Array.from(values) : values;
  const isWhole = Number.isInteger(slope) && Number.isInteger(intercept) && Math.max(...reach(image).map(Math.abs)) < 32_768;
  const out = isWhole ? new Int16Array(values.length) : new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) out[i] = values[i]! * slope + intercept;
  return out;
}

/** The least and the greatest value there can be; looking at each of five million pixels would cost a frame. */
function reach(image: Image): [number, number] {
  if (isColour(image)) return [0, 255];
  const half = 2 ** (image.bits_stored - 1);
  const ends = (image.is_signed ? [-half, half - 1] : [0, 2 * half - 1]).map((end) => end * image.slope + image.intercept);
  return [Math.min(...ends), Math.max(...ends)];
}

function windowOf([low, high]: [number, number]): { center: number; width: number } {
  return { center: (low + high) / 2, width: Math.max(1, high - low) };
}

/** The least and the greatest value there are. */
function range(values: Values): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}
