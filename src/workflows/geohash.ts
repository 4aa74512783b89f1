/** Geohashes: places near each other begin with the same characters, so an index finds them. */

const ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz";
const BITS_PER_CHARACTER = 5;

/**
 * The geohash of a position. 9 characters tell apart what is 5 m away.
 *
 * @param latitude degrees north, from -90 to 90
 * @param longitude degrees east, from -180 to 180
 * @example geohash(57.64911, 10.40744, 9) // "u4pruydqq"
 */
export function geohash(latitude: number, longitude: number, length: number): string {
  const north = { low: -90, high: 90, position: latitude };
  const east = { low: -180, high: 180, position: longitude };
  let hash = "";
  let index = 0;
  // The bits halve the range of longitude and latitude in turn, longitude first.
  for (let bit = 0; bit < length * BITS_PER_CHARACTER; bit++) {
    const range = bit % 2 === 0 ? east : north;
    const middle = (range.low + range.high) / 2;
    const upper = range.position >= middle;
    if (upper) range.low = middle;
    else range.high = middle;
    index = index * 2 + (upper ? 1 : 0);
    if (bit % BITS_PER_CHARACTER === BITS_PER_CHARACTER - 1) {
      hash += ALPHABET.charAt(index);
      index = 0;
    }
  }
  return hash;
}
