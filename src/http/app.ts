/**
 * The HTTP surface: finds the route of a request, keeps strangers out, and answers every error as a
 * problem. This folder may import `src/core`, hono and zod only; what it needs of a Worker is given
 * to it with each request, so that it runs in workerd and Node alike.
 *
 * - H1 Nothing below `/v1/` is answered before authentication, not even that it does not exist.
 * - H2 Nothing reaches the service unchecked (W10): ids, names, sizes, fields, queries.
 * - H3 Every failure is answered, whatever was thrown, and none tells of our insides.
 */
import { Hono } from "hono";
import { WaymarkError } from "../core/errors.ts";
import { type AuthConfig, authorize } from "./auth.ts";
import { CALL_ROUTES } from "./call-routes.ts";
import { CONTROL_ROUTES } from "./control-routes.ts";
import { ENTITY_ROUTES } from "./entity-routes.ts";
import { INSTANCE_ROUTES } from "./instance-routes.ts";
import { type Log, logFailure, methodNotAllowed, problemResponse } from "./problem.ts";
import { GUARDED, isGuarded, type RequestScope, type Route } from "./route.ts";
import type { Service } from "./service.ts";
import { surfaceRoutes } from "./surface-routes.ts";
import { WORKFLOW_ROUTES } from "./workflow-routes.ts";

/** What a Worker brings; `Context` is whatever its `fetch` is given as third. */
export interface AppOptions<Env, Context> {
  /** Called once for a request that reaches it. */
  serviceFor(env: Env, context: Context): Service;
  authFor(env: Env): AuthConfig;
  /** Milliseconds since 1970. */
  now(): number;
  /** Takes what the client is not told of a failure. */
  readonly log: Log;
  /** Waymark's own, for `/health` and the OpenAPI document. */
  readonly version: string;
}

export interface App<Env, Context> {
  /** Never rejects. */
  fetch(request: Request, env: Env, context: Context): Promise<Response>;
  readonly routes: readonly Route[];
}

/**
 * The app of a Worker.
 *
 * @example
 * const app = createApp({ serviceFor, authFor: parseAuth, now: Date.now, log, version });
 * export default { fetch: app.fetch };
 */
export function createApp<Env, Context>(options: AppOptions<Env, Context>): App<Env, Context> {
  const routes: readonly Route[] = [
    ...surfaceRoutes(options.version, () => routes),
    ...WORKFLOW_ROUTES,
    ...INSTANCE_ROUTES,
    ...CALL_ROUTES,
    ...CONTROL_ROUTES,
    ...ENTITY_ROUTES,
  ];
  const router = routerOf(routes);
  return {
    routes,
    fetch: async (request, env, context) => {
      const scope: RequestScope = {
        service: () => options.serviceFor(env, context),
        auth: () => options.authFor(env),
        now: () => options.now(),
      };
      return finish(request, await answer(router, request, scope, options.log));
    },
  };
}

type Router = Hono<{ Bindings: RequestScope }>;

function routerOf(routes: readonly Route[]): Router {
  // Routes are found in the address as it came: each parameter is decoded once, by its route.
  const router: Router = new Hono({ getPath: (request) => new URL(request.url).pathname });
  router.use(`${GUARDED}/*`, async (c, next) => {
    await authorize(c.req.raw, c.env.auth());
    await next();
  });
  for (const [path, ways] of Map.groupBy(routes, (route) => route.path)) {
    const pattern = path.replaceAll(/\{(\w+)\}/g, ":$1");
    for (const way of ways) router.on(way.method, pattern, (c) => way.answer(c.req.raw, c.env));
    router.all(pattern, (c) => methodNotAllowed(c.req.method, allowedBy(ways)));
  }
  router.notFound((c) => {
    throw new WaymarkError("ROUTE_NOT_FOUND", `there is no ${c.req.path.slice(0, 200)}`);
  });
  router.onError((error) => {
    throw error; // to the one place that answers errors, and other things thrown
  });
  return router;
}

const allowedBy = (ways: readonly Route[]): string[] =>
  ways.flatMap((way) => (way.method === "GET" ? ["GET", "HEAD"] : [way.method]));

async function answer(
  router: Router,
  request: Request,
  scope: RequestScope,
  log: Log,
): Promise<Response> {
  try {
    return await router.fetch(request, scope);
  } catch (error) {
    logFailure(error, request, log);
    return problemResponse(error);
  }
}

function finish(request: Request, response: Response): Response {
  const body = request.method === "HEAD" ? null : response.body;
  const finished = new Response(body, response);
  finished.headers.set("X-Content-Type-Options", "nosniff");
  if (isGuarded(new URL(request.url).pathname)) finished.headers.set("Cache-Control", "no-store");
  return finished;
}
