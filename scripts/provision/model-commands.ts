import { OperationError, UsageError } from "../lib/errors.ts";
import { type Command, type OptionSpec, readText, text } from "./command.ts";

const MODEL_ID = { option: "model-id", value: "MODEL_ID", help: "the model, mdl_...", required: true };
const ANSWERABLE: Record<string, OptionSpec> = {
  by: { value: "NAME", help: "who answers for it", required: true },
  reason: { value: "TEXT", help: "why", required: true },
};

/** A command that changes the status of one model. */
function statusChange(method: string, summary: string): Command {
  return {
    summary,
    method,
    argument: MODEL_ID,
    options: ANSWERABLE,
    prepare: (values) => ({ input: text(values, "model-id", "by", "reason") }),
  };
}

/** The commands about models, in the order of a model's life. */
export const MODEL_COMMANDS: Record<string, Command> = {
  "register-model": {
    summary: "a model as challenger: verified, then scored in shadow beside the champion, never served",
    method: "registerModel",
    options: {
      model: { value: "FILE", help: "its artefact, XGBoost JSON", required: true },
      meta: { value: "FILE", help: "its card, as models/champion.meta.json", required: true },
      by: { value: "NAME", help: "who registers it" },
    },
    prepare: (values) => ({
      input: {
        artefact: readText(values.model!),
        card: parsedCard(values.meta!),
        ...text(values, "by"),
      },
    }),
  },
  "promote-model": statusChange(
    "promoteModel",
    "makes a challenger the champion if it passes every gate, and scores every consented retailer again",
  ),
  "freeze-model": statusChange(
    "freezeModel",
    "takes a model out of use at once; with a frozen champion nothing new is scored",
  ),
  "retire-model": statusChange("retireModel", "ends a challenger or puts a frozen model away for good"),
  "list-models": {
    summary:
      "every model with its card, approvals, gates it would fail and last drift report, and all changes",
    method: "listModels",
    options: {},
    prepare: () => ({ input: {} }),
  },
  replay: {
    summary: "computes stored scores again, by the model each was made with: identical or what differs",
    method: "replay",
    argument: { option: "score-id", value: "SCORE_ID", help: "one score, scr_..." },
    options: { last: { value: "N", help: "in place of SCORE_ID: the N scores stored last, up to 5000" } },
    prepare: (values) => {
      const { last, "score-id": score_id } = values;
      if ((last === undefined) === (score_id === undefined)) {
        throw new UsageError("replay takes SCORE_ID or --last N.");
      }
      if (last !== undefined && !/^\d+$/.test(last)) throw new UsageError("--last takes a whole number.");
      return {
        input: last === undefined ? { score_id } : { last: Number(last) },
        finish: (answer) => {
          if ((answer as { different: unknown[] }).different.length > 0) process.exitCode = 1;
          return answer;
        },
      };
    },
  },
};

function parsedCard(path: string): unknown {
  const card = readText(path);
  try {
    return JSON.parse(card) as unknown;
  } catch (error) {
    throw new OperationError(`${path} is not JSON: ${(error as Error).message}`);
  }
}
