import { expect } from "vitest";

/** Refuses text that is not well-formed: tags that do not close, attributes twice or unquoted, bare & or <. */
export function requireXml(text: string): void {
  const open: string[] = [];
  let rest = text.trim();
  while (rest !== "") {
    const [tag, closing, name, attributes, single] =
      /^<(\/?)([A-Za-z][\w-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/.exec(rest) ?? [];
    if (tag === undefined) {
      const [content = ""] = /^[^<]+/.exec(rest) ?? [];
      expect([content === "", open.length === 0]).toEqual([false, false]);
      requireEscaped(content);
      rest = rest.slice(content.length);
      continue;
    }
    const names = Array.from(attributes!.matchAll(/([\w:-]+)="([^"]*)"/g), ([, key, value]) => {
      requireEscaped(value!);
      return key;
    });
    expect(new Set(names).size).toBe(names.length);
    if (closing === "/") expect(open.pop()).toBe(name);
    else if (single === "") open.push(name!);
    rest = rest.slice(tag.length);
    if (open.length === 0) expect(rest).toBe("");
  }
  expect(open).toEqual([]);
}

function requireEscaped(text: string): void {
  expect(text.replaceAll(/&(?:amp|lt|gt|quot|apos);/g, "")).not.toMatch(/[&<]/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what XML cannot hold
  expect(text).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
}
