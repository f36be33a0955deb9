/**
 * Brings a Durable Object's SQLite schema up to date: runs the migrations it has not run yet, in order and
 * in one transaction. Call it in the constructor; it is synchronous, so no request can come in between.
 */
export function migrate(storage: DurableObjectStorage, migrations: readonly string[]): void {
  const { sql } = storage;
  storage.transactionSync(() => {
    sql.exec("CREATE TABLE IF NOT EXISTS _migrations (version INTEGER PRIMARY KEY)");
    const { done } = sql.exec<{ done: number }>("SELECT count(*) AS done FROM _migrations").one();
    for (let version = done; version < migrations.length; version++) {
      sql.exec(migrations[version] as string);
      sql.exec("INSERT INTO _migrations (version) VALUES (?)", version + 1);
    }
  });
}
