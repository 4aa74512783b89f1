/** ActivityTwo's work on one record: normalised names, the country in words, the position in numbers. */
import { NonRetryableError } from "../core/failure.ts";
import { geohash } from "./geohash.ts";
import type { Enrichment, PlaceRow } from "./places.ts";

const GEOHASH_LENGTH = 9;

/** Upper bounds of population, exclusive, and what a place below them is called. */
const POPULATION_BANDS = [
  { below: 1, band: "unknown" },
  { below: 10_000, band: "village" },
  { below: 100_000, band: "town" },
  { below: 1_000_000, band: "city" },
] as const;

/** Letters that do not fall apart into an ASCII letter and a mark. */
const LATIN_LETTERS: { readonly [letter: string]: string } = {
  æ: "ae",
  œ: "oe",
  ø: "o",
  ß: "ss",
  þ: "th",
  ð: "d",
  đ: "d",
  ħ: "h",
  ı: "i",
  ł: "l",
  ŋ: "ng",
  ə: "a",
};

const countryNames = new Intl.DisplayNames("en", { type: "region", fallback: "code" });

/**
 * What there is to know about a place. The same row gives the same answer, so a page may be repeated.
 *
 * @throws NonRetryableError where the coordinates are none: another attempt would read the same
 */
export function enrich(place: PlaceRow): Enrichment {
  const displayName = place.name.normalize("NFC").trim().replace(/\s+/gu, " ");
  const { latitude, longitude } = parseCoordinates(place);
  return {
    displayName,
    searchName: searchNameOf(displayName),
    countryName: countryNameOf(place.country),
    populationBand: populationBandOf(place.population),
    latitude,
    longitude,
    geohash: geohash(latitude, longitude, GEOHASH_LENGTH),
  };
}

/** What a keyboard without marks would type: "Łódź" is found as "lodz". */
export function searchNameOf(displayName: string): string {
  const lower = displayName.toLowerCase();
  const ascii = lower
    .normalize("NFKD")
    .replace(/[\p{M}']/gu, "")
    .replace(/[^\p{ASCII}]/gu, (letter) => LATIN_LETTERS[letter] ?? "")
    .replace(/[^a-z0-9]+/g, " ")
    .trim();
  return ascii === "" ? lower : ascii; // a name in another script is searched for as it is written
}

function countryNameOf(code: string): string {
  return /^[A-Z]{2}$/.test(code) ? (countryNames.of(code) ?? code) : code;
}

function populationBandOf(population: number): string {
  return POPULATION_BANDS.find(({ below }) => population < below)?.band ?? "metropolis";
}

function parseCoordinates(place: PlaceRow): { latitude: number; longitude: number } {
  const match = /^(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)$/.exec(place.coordinates);
  const latitude = Number(match?.[1]);
  const longitude = Number(match?.[2]);
  if (Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180) return { latitude, longitude };
  throw new NonRetryableError(
    `place ${place.city_id} has the coordinates ${JSON.stringify(place.coordinates)}; ` +
      "wanted: latitude,longitude in degrees",
  );
}
