/**
 * A seeded random source: xoshiro128** (Blackman and Vigna, 2018), its state filled by splitmix32 from an
 * FNV-1a hash of the seed text. Not for secrets; those come from lib/seams.ts. The same seed gives the same
 * sequence on every machine.
 */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** Uniform integer in [low, high], both ends included. */
  integer(low: number, high: number): number;
  /** Standard normal. */
  normal(): number;
  /** Exponential with the given mean. */
  exponential(mean: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** One of the values, each as likely as its weight says. */
  weighted<T>(choices: readonly (readonly [T, number])[]): T;
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function splitmix32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
}

const rotateLeft = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));

/** A random source whose whole sequence follows from the seed text. */
export function createRandom(seed: string): Random {
  const fill = splitmix32(fnv1a(seed));
  let [a, b, c, d] = [fill(), fill(), fill(), fill()];

  const uniform = (): number => {
    const output = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return output / 0x1_0000_0000;
  };
  return {
    uniform,
    between: (low, high) => low + (high - low) * uniform(),
    integer: (low, high) => low + Math.floor((high - low + 1) * uniform()),
    // Box-Muller; 1 - uniform() is never 0, so the logarithm is finite.
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    exponential: (mean) => -mean * Math.log(1 - uniform()),
    chance: (probability) => uniform() < probability,
    weighted: (choices) => {
      let left = uniform() * choices.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [value, weight] of choices) {
        left -= weight;
        if (left < 0) return value;
      }
      const last = choices.at(-1);
      if (last === undefined) throw new RangeError("nothing to choose from");
      return last[0];
    },
  };
}
