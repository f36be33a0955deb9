import type { Miniflare } from "miniflare";

type Database = Awaited<ReturnType<Miniflare["getD1Database"]>>;

/** One file of the migrations folder. */
export interface Migration {
  /** Its file name, by which it is remembered as applied. */
  name: string;
  statements: string[];
}

/**
 * Applies the migrations that the database has not had, in the given order, each in one transaction with its row
 * in `d1_migrations`: the table that `wrangler d1 migrations apply` keeps too.
 */
export async function applyMigrations(database: Database, migrations: Migration[]): Promise<void> {
  await database
    .prepare(
      "CREATE TABLE IF NOT EXISTS d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
    )
    .run();
  const { results } = await database.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
  const applied = new Set(results.map((row) => row.name));
  for (const { name, statements } of migrations) {
    if (applied.has(name)) continue;
    await database.batch([
      ...statements.map((statement) => database.prepare(statement)),
      database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name),
    ]);
  }
}
