/** Transfers between a few accounts: locks, and money that is neither made nor lost. */
import type { Draw } from "../draw.ts";
import type { Planned } from "../expectation.ts";

export const ACCOUNTS = ["ada", "bob", "cyd", "dan", "eve"] as const;

/** What each has to begin with. */
export const OPENING_CENTS = 1_000;

/** One transfer, as it was planned and as it ended. */
export interface Transfer {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly cents: number;
  /** The workflow's output. */
  readonly output: unknown;
}

export function transfers(id: string, draw: Draw): Planned & { readonly input: object } {
  const from = draw.pick(ACCOUNTS);
  const to = draw.pick(ACCOUNTS.filter((key) => key !== from));
  const input = { from, to, cents: draw.int(1, 700) };
  return {
    ...{ id, shape: "locks", workflow: "TransferMoney", input },
    // What it has moved depends on those before it: `moneyFaults` looks at all of them together.
    expect: () => ({ status: "Completed", effects: [], steps: ["lock"] }),
  };
}

type Output = { readonly moved: boolean; readonly from: number; readonly to?: number };

/**
 * Whether the accounts ended with what the transfers say, and whether there is an order of them, one after
 * the other, in which each found what another had left.
 */
export function moneyFaults(
  transfers: readonly Transfer[],
  balances: ReadonlyMap<string, number>,
): readonly string[] {
  return ACCOUNTS.flatMap((account) => {
    const changes = transfers.flatMap((transfer) => changesOf(transfer, account));
    const sum = changes.reduce((total, { by }) => total + by, OPENING_CENTS);
    const balance = balances.get(account);
    const faults = changesFaults(account, changes, balance ?? Number.NaN);
    if (balance === sum) return faults;
    return [`"${account}" has ${balance} cents, and its transfers come to ${sum}`, ...faults];
  });
}

interface Change {
  readonly by: number;
  readonly left: number;
}

function changesOf({ from, to, cents, output }: Transfer, account: string): readonly Change[] {
  const { moved, from: payer, to: payee } = output as Output;
  if (!moved) return [];
  if (account === from) return [{ by: -cents, left: payer }];
  return account === to && payee !== undefined ? [{ by: cents, left: payee }] : [];
}

/** Each balance is left as often as it is found, but for the first one and the last. */
function changesFaults(
  account: string,
  changes: readonly Change[],
  balance: number,
): readonly string[] {
  const surplus = new Map<number, number>();
  const add = (cents: number, by: number) => surplus.set(cents, (surplus.get(cents) ?? 0) + by);
  add(OPENING_CENTS, 1);
  add(balance, -1);
  for (const { by, left } of changes) {
    add(left - by, -1);
    add(left, 1);
  }
  const odd = [...surplus].filter(([, times]) => times !== 0);
  if (odd.length === 0) return [];
  const list = odd.map(([cents, times]) => `${cents} (${times > 0 ? "left" : "found"})`).join(", ");
  return [`the transfers of "${account}" follow from no order of them: ${list}`];
}
