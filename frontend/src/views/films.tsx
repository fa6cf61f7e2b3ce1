import { useEffect, useMemo, useState } from "preact/hooks";
import type { Finding, FindingMap, Image, Prior, Region, StudyView } from "../api/types";
import { capital, date, examination } from "../words";
import type { Film, Look } from "../viewer/film";
import { picture, pictureNow } from "../viewer/maps";
import type { Scene } from "../viewer/scene";
import { ColourBar } from "./colour-bar";
import { FilmView } from "./film-view";
import type { Looking } from "./looking";
import type { Signing } from "./signing";
import { StackBar } from "./stack-bar";

type Props = { study: StudyView; finding: Finding | null; looking: Looking; signing: Signing };

/** The current images and, one key away, the prior ones beside them. */
export function Films({ study, finding, looking, signing }: Props) {
  const [look, setLook] = useState<Look | null>(null);
  const { place, images } = looking;
  const image = images[place.index];
  const map = finding?.maps.find((one) => one.image_key === image?.image_key) ?? null;
  const shown = useMap(finding, map, looking, image);
  const prior = looking.isPriorShown ? study.priors[0] : undefined;
  const scene: Scene = {
    map: looking.isMapShown ? map : null,
    picture: looking.isMapShown ? shown : null,
    opacity: looking.opacity,
    isContour: looking.isContour,
    regions: regionsOf(signing),
    measures: looking.measures,
  };
  const takeFilm = (film: Film | null) => void (looking.film.current = film);
  return (
    <div class={prior ? "pair" : "single"}>
      <FilmView
        label={labelOf(study, finding, looking.isMapShown && map !== null)}
        images={images}
        index={place.index}
        tool={signing.drawing ?? looking.tool}
        scene={scene}
        onIndex={(index) => looking.setPlace({ ...place, index })}
        onFilm={takeFilm}
        onChanged={(film) => prior && setLook(film.look)}
        onMeasure={looking.addMeasure}
        onRegion={(region) => region && signing.setRegion(region)}
      >
        <Corner image={image} />
        <MapWords finding={finding} map={map} looking={looking} hasPicture={shown !== null} />
        {images.length > 1 && (
          <StackBar
            images={images}
            index={place.index}
            findingKey={finding?.key ?? null}
            onIndex={(index) => looking.setPlace({ ...place, index })}
          />
        )}
        {study.series.length > 1 && <SeriesName study={study} looking={looking} />}
      </FilmView>
      {prior && <PriorFilm prior={prior} look={look} share={images.length > 1 ? place.index / (images.length - 1) : 0} series={place.series} />}
    </div>
  );
}

/** The map in colour; asked for as soon as its image is there, so that the key finds it waiting. */
function useMap(finding: Finding | null, map: FindingMap | null, looking: Looking, image: Image | undefined) {
  const { colours } = looking;
  const [, setArrived] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    const near = finding?.maps.filter((one) => one !== map && isNear(one, looking)) ?? [];
    const wanted = [...(map ? [map] : []), ...near];
    const soon = setTimeout(() => {
      for (const one of wanted) {
        picture(one, colours).then(
          () => isCurrent && setArrived((n) => n + 1),
          () => undefined,
        );
      }
    }, 0);
    return () => {
      isCurrent = false;
      clearTimeout(soon);
    };
  }, [finding, map, colours, image]);
  return map ? pictureNow(map, colours) : null;
}

function isNear(map: FindingMap, { images, place }: Looking): boolean {
  const at = images.findIndex((image) => image.image_key === map.image_key);
  return at >= 0 && Math.abs(at - place.index) <= 3;
}

function regionsOf(signing: Signing): { region: Region; isActive: boolean }[] {
  const active = signing.form?.region ?? null;
  const kept = signing.drawn.filter((region) => region !== active).map((region) => ({ region, isActive: false }));
  return active ? [...kept, { region: active, isActive: true }] : kept;
}

function labelOf(study: StudyView, finding: Finding | null, hasMap: boolean): string {
  const what = examination(study);
  return hasMap && finding ? `${what}, with the map of ${finding.display}${finding.zone ? `, ${finding.zone}` : ""}` : what;
}

function Corner({ image }: { image: Image | undefined }) {
  const side = image?.laterality === "U" ? null : image?.laterality; // U: unpaired, says no side.
  const words = [image?.view, side].filter(Boolean).join(" ");
  return words ? <span class="corner top-left">{words}</span> : null;
}

type MapWordsProps = { finding: Finding | null; map: FindingMap | null; looking: Looking; hasPicture: boolean };

function MapWords({ finding, map, looking, hasPicture }: MapWordsProps) {
  if (!looking.isMapShown || !finding) return null;
  if (!map) {
    const why = finding.maps.length > 0 ? "no map on this image" : `no map: ${finding.map_status.replaceAll("_", " ")}`;
    return <p class="corner top-right">{`${finding.display}: ${why}`}</p>;
  }
  return (
    <>
      <p class="corner top-right" data-map={hasPicture ? finding.key : ""}>
        AI evidence: {finding.display.toLowerCase()}
        <br />
        <strong>AI RESULT – NOT FOR DIAGNOSIS</strong>
      </p>
      {!looking.isContour && <ColourBar map={map} looking={looking} />}
    </>
  );
}

function SeriesName({ study, looking }: { study: StudyView; looking: Looking }) {
  const { place, setPlace } = looking;
  return (
    <label class="series">
      <span class="hidden">Series</span>
      <select value={place.series} onChange={(event) => setPlace({ series: Number(event.currentTarget.value), index: 0 })}>
        {study.series.map((series, i) => (
          <option key={series.series_key} value={i}>
            {`${i + 1}/${study.series.length} ${series.description || series.modality} (${series.images.length})`}
          </option>
        ))}
      </select>
    </label>
  );
}

function PriorFilm({ prior, look, share, series }: { prior: Prior; look: Look | null; share: number; series: number }) {
  const images = useMemo(() => (prior.series[series] ?? prior.series[0])?.images ?? [], [prior, series]);
  const [film, setFilm] = useState<Film | null>(null);
  const alike = Math.round(share * Math.max(0, images.length - 1));
  const [index, setIndex] = useState(alike);
  useEffect(() => setIndex(alike), [alike, images]);
  useEffect(() => {
    if (film && look) film.look = look;
  }, [film, look]);
  if (images.length === 0) return <p class="empty">The prior has no image that can be shown.</p>;
  return (
    <FilmView
      label={`Prior of ${date(prior.studied_at)}: ${prior.description}`}
      images={images}
      index={index}
      tool="pan"
      scene={{ map: null, picture: null, opacity: 0, isContour: false, regions: [], measures: [] }}
      onIndex={setIndex}
      onFilm={setFilm}
    >
      <p class="corner top-right">
        {capital(`prior ${date(prior.studied_at)}`)}
        <br />
        <span class="dim">no map · linked window and zoom</span>
      </p>
    </FilmView>
  );
}
