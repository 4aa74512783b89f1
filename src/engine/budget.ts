/** What is left of a turn's budget (W5). CPU time cannot be read, so steps and checkpoints count. */
import type { TurnBudget } from "./host.ts";

export class Budget {
  readonly endsAt: number;
  #steps: number;
  #checkpoints: number;

  constructor(budget: TurnBudget, now: number) {
    this.endsAt = now + budget.millis;
    this.#steps = budget.steps;
    this.#checkpoints = budget.checkpoints;
  }

  spendStep(): void {
    this.#steps--;
  }

  /** Counts a checkpoint; returns whether the activity must stop there. */
  spendCheckpoint(now: number): boolean {
    this.#checkpoints--;
    return this.spent(now);
  }

  spent(now: number): boolean {
    return this.#steps <= 0 || this.#checkpoints <= 0 || now >= this.endsAt;
  }
}
