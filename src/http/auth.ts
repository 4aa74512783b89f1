/**
 * Bearer authentication with a read and a write scope. It fails closed: without a configured token
 * every request is refused, unless the variable AUTH is exactly `none`.
 *
 * Tokens are compared by their SHA-256, all of them and every byte, so that neither the time of an
 * answer nor the length of a token tells how near a guess came.
 */
import { WaymarkError } from "../core/errors.ts";
import { sha256 } from "./digest.ts";

export type AuthScope = "read" | "write";

export interface AuthConfig {
  readonly mode: "none" | "tokens";
  /** May do everything. Several, so that a token can be rotated without a gap. */
  readonly writeTokens: readonly string[];
  /** May only read. */
  readonly readTokens: readonly string[];
}

/**
 * The configuration in a Worker's variables and secrets: `WRITE_TOKENS` and `READ_TOKENS`, each
 * tokens separated by commas, and `AUTH`.
 */
export function parseAuth(env: object): AuthConfig {
  return {
    mode: Reflect.get(env, "AUTH") === "none" ? "none" : "tokens",
    writeTokens: tokensOf(Reflect.get(env, "WRITE_TOKENS")),
    readTokens: tokensOf(Reflect.get(env, "READ_TOKENS")),
  };
}

function tokensOf(variable: unknown): string[] {
  if (typeof variable !== "string") return [];
  return variable
    .split(",")
    .map((token) => token.trim())
    .filter((token) => token !== "");
}

/** The scope a method needs. */
const scopeFor = (method: string): AuthScope =>
  method === "GET" || method === "HEAD" ? "read" : "write";

/**
 * Lets a request pass, or throws.
 *
 * @throws WaymarkError `AUTH_NOT_CONFIGURED`, `UNAUTHENTICATED`, `SCOPE_MISSING`
 */
export async function authorize(request: Request, config: AuthConfig): Promise<void> {
  if (config.mode === "none") return refuseForeignPage(request);
  if (config.writeTokens.length === 0 && config.readTokens.length === 0) {
    throw new WaymarkError(
      "AUTH_NOT_CONFIGURED",
      "set the secret WRITE_TOKENS, and READ_TOKENS where readers shall not write",
    );
  }
  const granted = await grantedScope(bearerToken(request), config);
  if (granted === "read" && scopeFor(request.method) === "write") {
    throw new WaymarkError("SCOPE_MISSING", `a read token may not ${request.method}`);
  }
}

/**
 * Where no token is asked for, whatever a browser shows could write: it may send a POST without a
 * content type to any address, this machine's included, and names the page's origin with it.
 */
function refuseForeignPage(request: Request): void {
  const origin = request.headers.get("Origin");
  if (origin === null) return;
  const { host } = new URL(request.url);
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new WaymarkError("UNAUTHENTICATED", "a page of another origin may not ask without a token");
}

function bearerToken(request: Request): string {
  const header = request.headers.get("Authorization");
  const token = header === null ? undefined : /^Bearer +(\S+)$/i.exec(header)?.[1];
  if (token !== undefined) return token;
  const missing = header === null ? "there is no Authorization header" : "it is no bearer token";
  throw new WaymarkError("UNAUTHENTICATED", `${missing}; send "Authorization: Bearer <token>"`);
}

async function grantedScope(token: string, config: AuthConfig): Promise<AuthScope> {
  const digest = await sha256(token);
  const mayWrite = await isAmong(digest, config.writeTokens);
  const mayRead = await isAmong(digest, config.readTokens);
  if (mayWrite) return "write";
  if (mayRead) return "read";
  throw new WaymarkError("UNAUTHENTICATED", "the token is not one of those configured");
}

/** Looks at every token to the end, whether or not one fitted before. */
async function isAmong(digest: Uint8Array, tokens: readonly string[]): Promise<boolean> {
  const digests = await Promise.all(tokens.map(sha256));
  let found = false;
  for (const expected of digests) found = isSame(digest, expected) || found;
  return found;
}

function isSame(given: Uint8Array, expected: Uint8Array): boolean {
  let difference = given.length ^ expected.length;
  for (const [index, byte] of expected.entries()) difference |= byte ^ (given[index] ?? 0);
  return difference === 0;
}
