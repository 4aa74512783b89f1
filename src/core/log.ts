/** Log events: one flat JSON object each, so that `wrangler tail` can be searched by field. */

/** Extra fields of a log event. Flat: what is not text, number or boolean is left to the caller. */
export type LogFields = { readonly [field: string]: string | number | boolean | null | undefined };

/** What happened, as the engine tells it. */
export interface LogEvent extends LogFields {
  /** Such as `step.completed`; for lines from user code, `log`. */
  readonly event: string;
  readonly instance: string;
  readonly execution: string;
  readonly workflow: string;
}
