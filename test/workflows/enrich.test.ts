import { describe, expect, test } from "vitest";
import { NonRetryableError } from "../../src/core/failure.ts";
import { enrich, searchNameOf } from "../../src/workflows/enrich.ts";
import { geohash } from "../../src/workflows/geohash.ts";
import { place } from "./legacy.ts";

describe("a search name", () => {
  test.each([
    ["Łódź", "lodz"],
    ["Sant Julià de Lòria", "sant julia de loria"],
    ["Straßwalchen", "strasswalchen"],
    ["Ísafjörður", "isafjordur"],
    ["İzmir", "izmir"],
    ["Qal‘ah-ye Kūf", "qalah ye kuf"],
    ["L'Aquila", "laquila"],
    ["Tromsø/Romsa", "tromso romsa"],
  ])("of %s is %s", (name, expected) => {
    expect(searchNameOf(name)).toBe(expected);
  });

  test("of a name in another script is that name", () => {
    expect(searchNameOf("東京")).toBe("東京");
    expect(searchNameOf("Москва")).toBe("москва");
  });
});

describe("an enriched place", () => {
  test("has its name composed, trimmed and with single spaces", () => {
    expect(enrich(place(1, { name: "  Lodz\u0301\u00a0 Sud " })).displayName).toBe("Lodź Sud");
  });

  test("has its country in words, or the code where no country has it", () => {
    expect(enrich(place(1, { country: "CI" })).countryName).toBe("Côte d’Ivoire");
    expect(enrich(place(1, { country: "" })).countryName).toBe("");
    expect(enrich(place(1, { country: "?" })).countryName).toBe("?");
  });

  test.each([
    [0, "unknown"],
    [1, "village"],
    [9_999, "village"],
    [10_000, "town"],
    [100_000, "city"],
    [1_000_000, "metropolis"],
  ])("of %i people is of band %s", (population, band) => {
    expect(enrich(place(1, { population })).populationBand).toBe(band);
  });

  test("has its position in numbers and as a geohash", () => {
    const found = enrich(place(1, { coordinates: "57.64911,10.40744" }));
    expect(found).toMatchObject({ latitude: 57.64911, longitude: 10.40744, geohash: "u4pruydqq" });
  });

  test.each(["", "57.6", "57.6, 10.4", "north,east", "91,0", "0,-180.5", "1e1,2"])(
    "is refused for good with the coordinates %j",
    (coordinates) => {
      expect(() => enrich(place(12, { coordinates }))).toThrow(NonRetryableError);
      expect(() => enrich(place(12, { coordinates }))).toThrow("place 12");
    },
  );
});

test("a geohash is defined at the ends of the map", () => {
  expect(geohash(-90, -180, 5)).toBe("00000");
  expect(geohash(90, 180, 5)).toBe("zzzzz");
  expect(geohash(0, 0, 5)).toBe("s0000");
});
