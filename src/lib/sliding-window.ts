/**
 * An exact sliding window over instants (ms) that were admitted, oldest first: an instant counts while
 * `now - instant < window_ms`. Memory grows with the limit, not with the traffic, because only admitted
 * instants are kept.
 */
export class SlidingWindow {
  readonly window_ms: number;
  #instants: number[];
  #head = 0;

  constructor(window_ms: number, instants: number[] = []) {
    this.window_ms = window_ms;
    this.#instants = instants;
  }

  /** How many admitted instants count at `now_ms`. */
  used(now_ms: number): number {
    while (this.#head < this.#instants.length && now_ms - this.#instants[this.#head]! >= this.window_ms)
      this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#instants.length) {
      this.#instants = this.#instants.slice(this.#head);
      this.#head = 0;
    }
    return this.#instants.length - this.#head;
  }

  /** Adds an admitted instant; instants must not go backwards. */
  add(now_ms: number): void {
    this.#instants.push(now_ms);
  }

  /** When fewer than `limit` instants will count, given that none is added; `now_ms` if that holds already. */
  freeAt(limit: number, now_ms: number): number {
    const used = this.used(now_ms);
    if (used < limit) return now_ms;
    if (limit <= 0) return now_ms + this.window_ms;
    return this.#instants[this.#instants.length - limit]! + this.window_ms;
  }

  /** When the oldest instant that counts leaves the window; `now_ms + window_ms` if there is none. */
  oldestLeavesAt(now_ms: number): number {
    return this.used(now_ms) === 0 ? now_ms + this.window_ms : this.#instants[this.#head]! + this.window_ms;
  }
}
