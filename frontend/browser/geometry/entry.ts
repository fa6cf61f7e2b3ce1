// The viewer alone, over real frames: what the overlay test looks at. Driven through `window.film`.
import type { FindingMap, Image } from "../../src/api/types";
import { Film } from "../../src/viewer/film";
import { picture } from "../../src/viewer/maps";
import { draw, type Scene } from "../../src/viewer/scene";

type Case = { image: Image; map: FindingMap };

const place = document.getElementById("pixels") as HTMLDivElement;
const paper = document.getElementById("paper") as HTMLCanvasElement;
const { image, map } = (await (await fetch("/case.json")).json()) as Case;
const scene: Scene = { map, picture: await picture(map, "ember"), opacity: 1, isContour: false, regions: [], measures: [] };
const film: Film = new Film(place, () => draw(paper, film.affine, film.image, scene));
await film.show([image], 0);
const show = (what: "map" | "contour" | "none") => {
  Object.assign(scene, { map: what === "none" ? null : map, isContour: what === "contour" });
  draw(paper, film.affine, film.image, scene);
};
Object.assign(window, { film, show });
document.body.dataset["ready"] = "yes";
