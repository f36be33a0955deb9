import { Agent, type IncomingMessage, request } from "node:http";

/** One request to make. */
export interface Shot {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
}

export interface Answer {
  status: number;
  body: string;
  ms: number;
}

/** A client with a fixed number of kept-alive connections to one loopback port. */
export class LoadClient {
  readonly #agent: Agent;
  readonly #port: number;
  readonly connections: number;

  constructor(port: number, connections: number) {
    this.#port = port;
    this.connections = connections;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Sends one request and reads the whole answer. */
  send(shot: Shot): Promise<Answer> {
    const started = performance.now();
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: "127.0.0.1",
          port: this.#port,
          agent: this.#agent,
          method: shot.method,
          path: shot.path,
          headers: {
            ...shot.headers,
            ...(shot.body ? { "content-length": Buffer.byteLength(shot.body) } : {}),
          },
        },
        (incoming: IncomingMessage) => {
          const chunks: Buffer[] = [];
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
          incoming.on("end", () => {
            const body = Buffer.concat(chunks).toString("utf8");
            resolve({ status: incoming.statusCode ?? 0, body, ms: performance.now() - started });
          });
          incoming.on("error", reject);
        },
      );
      outgoing.on("error", reject);
      outgoing.end(shot.body);
    });
  }

  /**
   * Sends `count` requests, as many at once as there are connections. Returns the latencies (ms, sorted) and
   * the time it took; an answer other than `expected_status` is an error, because it would not be what is measured.
   */
  async run(count: number, shot: (index: number) => Shot, expected_status = 200) {
    const latencies: number[] = [];
    let next = 0;
    const started = performance.now();
    const lane = async () => {
      while (next < count) {
        const answer = await this.send(shot(next++));
        if (answer.status !== expected_status) throw new Error(`status ${answer.status}: ${answer.body}`);
        latencies.push(answer.ms);
      }
    };
    await Promise.all(Array.from({ length: this.connections }, lane));
    return { latencies: latencies.sort((a, b) => a - b), seconds: (performance.now() - started) / 1000 };
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The p-th percentile (0-100) of sorted numbers, by nearest rank. */
export function percentile(sorted: number[], p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** The middle of a few numbers. */
export function median(numbers: number[]): number {
  return percentile(
    [...numbers].sort((a, b) => a - b),
    50,
  );
}
