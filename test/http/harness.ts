/** What the tests of the HTTP surface share: an app over a recording service, and requests. */
import { expect } from "vitest";
import { ERROR_CODES, type ErrorCode } from "../../src/core/errors.ts";
import type { LogFields } from "../../src/core/log.ts";
import { type App, createApp } from "../../src/http/app.ts";
import { parseAuth } from "../../src/http/auth.ts";
import { PROBLEM_TYPE, type Problem } from "../../src/http/problem.ts";
import { NOW, RecordingService } from "./recording-service.ts";

export const OPEN = { AUTH: "none" };
export const START = "/v1/workflows/MigrateRecords/instances";

export interface Surface {
  readonly app: App<object, undefined>;
  readonly service: RecordingService;
  readonly logged: LogFields[];
  send(method: string, path: string, request?: RequestParts): Promise<Response>;
}

export interface RequestParts {
  /** Bytes go without a content type; text as it is, and anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An app whose Worker has these variables. */
export function surface(env: object = OPEN): Surface {
  const service = new RecordingService();
  const logged: LogFields[] = [];
  const app = createApp<object, undefined>({
    serviceFor: () => service,
    authFor: parseAuth,
    now: () => NOW,
    log: (event) => logged.push(event),
    version: "0.0.1-test",
  });
  const send = (method: string, path: string, parts: RequestParts = {}) =>
    app.fetch(requestOf(method, path, parts), env, undefined);
  return { app, service, logged, send };
}

function requestOf(method: string, path: string, { body, headers }: RequestParts): Request {
  const bare = body === undefined || body instanceof Uint8Array;
  return new Request(`https://waymark.test${path}`, {
    method,
    headers: { ...(bare ? {} : { "Content-Type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: bytesOf(body) }),
  });
}

/** Bytes, since `Request` gives a text a content type of its own. */
function bytesOf(body: unknown): Uint8Array<ArrayBuffer> {
  if (body instanceof Uint8Array) return Uint8Array.from(body);
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return Uint8Array.from(new TextEncoder().encode(text));
}

/** An app with one instance, whose start is not among the recorded calls. */
export async function surfaceWith(id: string): Promise<Surface> {
  const started = surface();
  const response = await started.send("POST", START, { body: { id } });
  expect(response.status).toBe(202);
  started.service.calls.length = 0;
  return started;
}

/** The problem an answer tells, which must be of this code and whole. */
export async function problemIn(response: Response, code: ErrorCode): Promise<Problem> {
  const problem = (await response.json()) as Problem;
  const { status, title } = ERROR_CODES[code];
  expect(problem).toEqual({
    type: `urn:waymark:error:${code}`,
    title,
    status,
    detail: expect.any(String),
    code,
  });
  expect(response.status).toBe(status);
  expect(response.headers.get("Content-Type")).toBe(PROBLEM_TYPE);
  return problem;
}
