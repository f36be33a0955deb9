import { defineConfig } from "drizzle-kit";

/** Each module declares its own D1 tables in tables.ts; `npm run generate` writes the SQL to migrations/. */
export default defineConfig({ dialect: "sqlite", schema: "./src/*/tables.ts", out: "./migrations" });
