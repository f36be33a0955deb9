import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";

/** Secrets of the test run: fixed, so that vectors can be written down; used nowhere else. */
const testSecrets = {
  ENVIRONMENT: "test",
  KEY_ENCRYPTION_SECRET: "0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0",
  GSTIN_INDEX_KEY: "1f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff1",
  PHONE_PEPPER: "2f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff2",
  QUARANTINE_KEY: "3f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff3",
  WHATSAPP_APP_SECRET: "4f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff4",
  WHATSAPP_VERIFY_TOKEN: "5f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff5",
};

export default defineConfig({
  test: {
    // Both projects at once: the end-to-end tests mostly wait.
    maxWorkers: 2,
    projects: [
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: { ...testSecrets, TEST_MIGRATIONS: await readD1Migrations("migrations") },
            },
          })),
        ],
        test: {
          name: "workers",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**"],
          setupFiles: ["./test/setup.ts"],
          isolate: false,
          testTimeout: 20_000,
          deps: {
            optimizer: {
              ssr: {
                enabled: true,
                include: [
                  "@hono/zod-openapi",
                  "@peculiar/x509",
                  "canonicalize",
                  "drizzle-orm",
                  "drizzle-orm/d1",
                  "drizzle-orm/sqlite-core",
                  "fast-check",
                  "hono",
                  "jose",
                  "reflect-metadata",
                ],
              },
            },
          },
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
