/** The one alarm of a Durable Object, kept at the earliest time that anything asked for. */
export class EarliestAlarm {
  readonly #storage: DurableObjectStorage;
  /** When it rings; 0 if unknown, as after a start. */
  #at_ms = 0;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /**
   * Lets it ring at `at_ms` (Unix ms) or before. Called in the same turn as the writes it is for, it is durable together
   * with them. One that is due already is left as it is: a busy object would push it ahead of itself for ever.
   */
  ringBy(at_ms: number): void {
    if (this.#at_ms !== 0 && this.#at_ms <= at_ms) return;
    this.#at_ms = at_ms;
    void this.#storage.setAlarm(at_ms);
  }

  /** To be called first in `alarm()`: what is asked for from now on needs another ring. */
  rang(): void {
    this.#at_ms = 0;
  }
}
