import { once } from "node:events";

const FLUSH_CHARACTERS = 1 << 16;

/** Lines to stdout in large pieces, waiting where the reader is slower. */
export class LineWriter {
  private pending = "";

  async line(text: string): Promise<void> {
    this.pending += `${text}\n`;
    if (this.pending.length >= FLUSH_CHARACTERS) await this.flush();
  }

  /** Writes what is left; must be called at the end. */
  async flush(): Promise<void> {
    const text = this.pending;
    this.pending = "";
    if (text !== "" && !process.stdout.write(text)) await once(process.stdout, "drain");
  }
}
