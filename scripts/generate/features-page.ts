import { FEATURE_GLOSSARY } from "../../src/scoring/feature-glossary.ts";
import {
  FEATURE_LIST_VERSION,
  FEATURES,
  type FeatureFamily,
  type FeatureName,
} from "../../src/scoring/feature-table.ts";
import { NEGATIVE_RULES, POSITIVE_RULES, type ReasonRule } from "../../src/scoring/reason-table.ts";

const LINE_CHARACTERS = 118;

/** Words filled into lines; lines after the first begin with `indent`. */
function wrapped(text: string, indent: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line !== "" && line.length + 1 + word.length > LINE_CHARACTERS) lines.push(indent + word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join("\n");
}

/** The codes that can rest on a feature, in the order of the reason table. */
function codesOf(name: FeatureName, rules: readonly ReasonRule[]): string {
  const codes = rules.filter(({ aspects }) => aspects.flat().includes(name)).map(({ code }) => `\`${code}\``);
  return codes.join(", ");
}

function familyTable(family: FeatureFamily): string {
  const rows = FEATURES.filter((feature) => feature.family === family).map((feature) => {
    const { number, name, definition, unit, sign, null_when } = feature;
    const reasons = `${codesOf(name, POSITIVE_RULES)} | ${codesOf(name, NEGATIVE_RULES)}`;
    return `| ${number} | \`${name}\` | ${definition.replaceAll("*", "\\*")} | ${unit} | ${sign} | ${null_when} | ${reasons} |`;
  });
  return `## ${family[0]!.toUpperCase()}${family.slice(1)}

| # | name | definition | unit | sign | null when | good news | bad news |
|--|--|--|--|--|--|--|--|
${rows.join("\n")}
`;
}

/** docs/features.md: the glossary and the feature table, with the reason codes that rest on each feature. */
export function featuresPage(): string {
  const families = [...new Set(FEATURES.map((feature) => feature.family))];
  const glossary = FEATURE_GLOSSARY.map(({ term, meaning }) => wrapped(`- **${term}**: ${meaning}`, "  "));
  return `# The ${FEATURES.length} features

Generated from \`src/scoring/feature-table.ts\`, \`feature-glossary.ts\` and \`reason-table.ts\` by \`npm run generate\`. List
version ${FEATURE_LIST_VERSION}: a model trained on another list is refused. \`test/scoring/naive-features.ts\` computes all of them a second
time, straight from these words, and the tests compare the two.

## Words

${glossary.join("\n")}

## How to read the tables

- **sign**: the direction of risk. \`+\`: higher is riskier. The model may use a feature in this direction only.
- **null when**: the value is missing for the model (NaN). What never happened is not null but the harmless extreme.
- **good news, bad news**: the reason codes that can rest on the feature. What a null value moved counts as
  \`DATA_INSUFFICIENT\`, for every feature but 35, which only the sparse route computes.

${families.map(familyTable).join("\n")}`;
}
