/** What an error and a reason are on the other side of an RPC, which carries plain data only. */
import { describe, expect, test } from "vitest";
import { WaymarkError } from "../../src/core/errors.ts";
import {
  CancelledError,
  NonRetryableError,
  PreemptedError,
  RetryAfterError,
  toFailure,
} from "../../src/core/failure.ts";
import { errorOf, remoteError, stopError, stopReason } from "../../src/objects/remote-attempt.ts";

class CardDeclined extends NonRetryableError {
  override readonly name = "CardDeclined" as "NonRetryableError";
}

const across = (thrown: unknown): Error => errorOf(structuredClone(remoteError(thrown)));

const coded = (code: string, name: string) =>
  Object.assign(new Error("unavailable"), { code, name, details: { a: 1 } });

describe("an error from outside", () => {
  test.each<[string, unknown]>([
    ["of the user's, with a code of its own", coded("ECONNRESET", "NetError")],
    ["of the user's, with a code that is one of Waymark's", coded("CANCELLED", "GrpcError")],
    ["whose cause has such a code", new Error("outer", { cause: coded("NON_RETRYABLE", "Foo") })],
    [
      "that is not retryable, with properties",
      Object.assign(new NonRetryableError("no"), { a: 1 }),
    ],
    ["of a class made from one of Waymark's", new CardDeclined("declined")],
    ["that names the next attempt", new RetryAfterError("later", "30 seconds")],
    ["that is one of Waymark's", new WaymarkError("PAYLOAD_UNSUPPORTED", "deep[0]")],
    ["that is no error", "just text"],
  ])("%s, is the same failure", (_, thrown) => {
    expect(toFailure(across(thrown))).toEqual(toFailure(thrown));
  });

  test("is of the class that decides on another attempt", () => {
    expect(across(new CardDeclined("declined"))).toBeInstanceOf(NonRetryableError);
    expect(across(new WaymarkError("PAYLOAD_TOO_LARGE", "big"))).toBeInstanceOf(WaymarkError);
    expect(across(coded("NON_RETRYABLE", "Foo"))).not.toBeInstanceOf(WaymarkError);
    const at = across(new RetryAfterError("later", new Date(Number.NaN)));
    expect(at).toBeInstanceOf(RetryAfterError);
    expect(at).toMatchObject({ after: { at: Number.NaN } });
  });
});

test("the reason why an attempt is over is of the class it has inside", () => {
  const reasons = [
    new CancelledError("Work#2"),
    new PreemptedError(),
    new WaymarkError("ATTEMPT_TIMEOUT", "late"),
  ];
  for (const reason of reasons) expect(stopError(stopReason(reason), "Work#2")).toEqual(reason);
  expect(stopError({ code: "else", message: "?" }, "Work")).toMatchObject({
    code: "ATTEMPT_STOPPED",
  });
});
