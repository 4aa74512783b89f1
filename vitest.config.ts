import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { answerFetch } from "./test/workerd/fixture/web.ts";

const migrations = await readD1Migrations("./migrations");

export default defineConfig({
  test: {
    reporters: ["default", "./test/closing-line.ts"],
    projects: [
      {
        // Nothing here waits for a clock: only a slow or a busy machine takes long.
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/workerd/**"],
          // The files share no state but `pace` of the simulation; a process for each would take longer than most tests.
          isolate: false,
          testTimeout: 30_000,
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./test/workerd/fixture/wrangler.toml" },
            miniflare: { bindings: { MIGRATIONS: migrations }, outboundService: answerFetch },
          }),
        ],
        test: { name: "workerd", include: ["test/workerd/**/*.test.ts"], testTimeout: 20_000 },
      },
    ],
  },
});
