/** Chance that a seed decides. */
import { randomOf } from "../bench/statistics.ts";

export interface Draw {
  /** From 0 up to 1. */
  fraction(): number;
  /** A whole number, both bounds included. */
  int(least: number, most: number): number;
  chance(probability: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
}

export function drawOf(seed: number): Draw {
  const fraction = randomOf(seed);
  const int = (least: number, most: number) => least + Math.floor(fraction() * (most - least + 1));
  return {
    fraction,
    int,
    chance: (probability) => fraction() < probability,
    pick: (items) => {
      const item = items[int(0, items.length - 1)];
      if (item === undefined) throw new Error("nothing to choose from");
      return item;
    },
  };
}
