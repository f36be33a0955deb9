/**
 * Reading XGBoost's JSON (1.7 up to 3.x): what the engine can evaluate exactly becomes a `ParsedModel`, everything
 * else is refused with a message that says why. Nothing of the text is trusted: every index is checked here, so
 * that evaluation needs no check.
 */

/** A model that the engine will not evaluate; the message says why and holds nothing but the artefact's own names. */
export class ModelRefusedError extends Error {
  override name = "ModelRefusedError";
}

/** One tree as XGBoost writes it; node 0 is the root, a leaf has left child -1 and its value in `split_conditions`. */
export interface ParsedTree {
  left_children: readonly number[];
  right_children: readonly number[];
  split_indices: readonly number[];
  split_conditions: readonly number[];
  default_left: readonly boolean[];
  sum_hessian: readonly number[];
}

export interface ParsedModel {
  feature_names: readonly string[];
  /** Probability space, 0-1 exclusive. */
  base_score: number;
  trees: readonly ParsedTree[];
}

type JsonObject = Record<string, unknown>;

/** Limits under which a compiled model with all that explains it stays below 64 MB: half of what an isolate has. */
const MAX_TREES = 10_000;
const MAX_NODES_PER_TREE = 20_000;
const MAX_NODES = 500_000;
const MAX_DEPTH = 64;
/** Below this a float32 is no longer normal, and its inverse overflows. */
const MIN_BASE_SCORE = 2 ** -126;

function refuse(message: string): never {
  throw new ModelRefusedError(message);
}

function objectAt(parent: JsonObject, key: string): JsonObject {
  const value = parent[key];
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(`not an XGBoost JSON model: ${key} is not an object`);
  }
  return value as JsonObject;
}

function listAt(parent: JsonObject, key: string, where: string): readonly unknown[] {
  const value = parent[key];
  if (!Array.isArray(value)) return refuse(`${where}: ${key} is not a list`);
  return value;
}

function numbersAt(tree: JsonObject, key: string, where: string, length: number): readonly number[] {
  const list = listAt(tree, key, where);
  if (list.length !== length)
    return refuse(`${where}: ${key} has ${list.length} entries for ${length} nodes`);
  for (const value of list) {
    if (typeof value !== "number" || !Number.isFinite(value)) {
      return refuse(`${where}: ${key} holds a value that is not a finite number`);
    }
  }
  return list as readonly number[];
}

function flagsAt(tree: JsonObject, key: string, where: string, length: number): readonly boolean[] {
  const list = listAt(tree, key, where);
  if (list.length !== length)
    return refuse(`${where}: ${key} has ${list.length} entries for ${length} nodes`);
  return list.map((value) => {
    if (value === true || value === 1) return true;
    if (value === false || value === 0) return false;
    return refuse(`${where}: ${key} holds something other than 0 and 1`);
  });
}

/** `base_score` as "0.5", "4.2E-2", "[4.2E-2]" or a bare number; it is a probability whatever the version. */
export function parseBaseScore(value: unknown): number {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string") return refuse("base_score is missing");
  const match = /^\s*\[?\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*\]?\s*$/i.exec(text);
  const parsed = match === null ? Number.NaN : Number(match[1]);
  // XGBoost keeps it as float32.
  const float = Math.fround(parsed);
  if (!(float >= MIN_BASE_SCORE && float < 1)) {
    return refuse(`base_score ${text} is not a probability between 0 and 1`);
  }
  return parsed;
}

function requireBinaryLogistic(learner: JsonObject): number {
  const objective = objectAt(learner, "objective").name;
  const params = objectAt(learner, "learner_model_param");
  const classes = Number(params.num_class ?? 0);
  if (classes > 1) return refuse(`multi-class models are not supported (${classes} classes)`);
  if (Number(params.num_target ?? 1) > 1) return refuse("models with several targets are not supported");
  if (objective !== "binary:logistic") {
    return refuse(`objective ${String(objective)} is not supported, only binary:logistic`);
  }
  return parseBaseScore(params.base_score);
}

function parseFeatureNames(learner: JsonObject): string[] {
  const names = learner.feature_names;
  if (!Array.isArray(names) || names.length === 0) return refuse("the model does not name its features");
  const seen = new Set<string>();
  for (const name of names) {
    if (typeof name !== "string") return refuse("a feature name is not a text");
    if (seen.has(name)) return refuse(`the model names the feature ${name} twice`);
    seen.add(name);
  }
  const types = learner.feature_types;
  if (Array.isArray(types) && types.some((type) => type === "c" || type === "categorical")) {
    return refuse("categorical features are not supported");
  }
  const declared = Number(objectAt(learner, "learner_model_param").num_feature ?? names.length);
  if (declared !== names.length) {
    return refuse(`the model declares ${declared} features but names ${names.length}`);
  }
  return [...seen];
}

function parseTree(value: unknown, position: number, feature_count: number): ParsedTree {
  const where = `tree ${position}`;
  if (typeof value !== "object" || value === null) return refuse(`${where} is not an object`);
  const tree = value as JsonObject;
  const left_list = listAt(tree, "left_children", where);
  const nodes = left_list.length;
  if (nodes === 0 || nodes > MAX_NODES_PER_TREE) return refuse(`${where} has ${nodes} nodes`);
  const tree_param = tree.tree_param;
  if (typeof tree_param === "object" && tree_param !== null) {
    if (Number((tree_param as JsonObject).size_leaf_vector ?? 0) > 1) {
      return refuse(`${where}: vector leaves are not supported`);
    }
  }
  for (const key of ["categories", "categories_nodes"]) {
    const list = tree[key];
    if (Array.isArray(list) && list.length > 0)
      return refuse(`${where}: categorical splits are not supported`);
  }
  if (Array.isArray(tree.split_type) && tree.split_type.some((type) => type !== 0 && type !== false)) {
    return refuse(`${where}: categorical splits are not supported`);
  }
  const parsed: ParsedTree = {
    left_children: numbersAt(tree, "left_children", where, nodes),
    right_children: numbersAt(tree, "right_children", where, nodes),
    split_indices: numbersAt(tree, "split_indices", where, nodes),
    split_conditions: numbersAt(tree, "split_conditions", where, nodes),
    default_left: flagsAt(tree, "default_left", where, nodes),
    sum_hessian: numbersAt(tree, "sum_hessian", where, nodes),
  };
  requireSoundTree(parsed, where, feature_count);
  return parsed;
}

/** Walks the tree from its root: every child in range and met once, every split on a known feature, covers above 0. */
function requireSoundTree(tree: ParsedTree, where: string, feature_count: number): void {
  const nodes = tree.left_children.length;
  const met = new Uint8Array(nodes);
  const pending = [{ node: 0, depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, depth } = next;
    if (met[node] === 1) refuse(`${where}: node ${node} has two parents or lies on a cycle`);
    met[node] = 1;
    if (depth > MAX_DEPTH) refuse(`${where} is deeper than ${MAX_DEPTH}`);
    if (!Number.isFinite(Math.fround(tree.split_conditions[node]!))) {
      refuse(`${where}: the value of node ${node} does not fit a 32-bit float`);
    }
    const cover = Math.fround(tree.sum_hessian[node]!);
    if (!(cover > 0 && Number.isFinite(cover))) {
      refuse(`${where}: sum_hessian of node ${node} is not above 0 in 32 bits`);
    }
    const left = tree.left_children[node]!;
    const right = tree.right_children[node]!;
    if (left === -1 && right === -1) continue;
    for (const child of [left, right]) {
      if (!Number.isInteger(child) || child < 0 || child >= nodes) {
        refuse(`${where}: node ${node} has a child ${child} outside the tree`);
      }
      pending.push({ node: child, depth: depth + 1 });
    }
    const feature = tree.split_indices[node]!;
    if (!Number.isInteger(feature) || feature < 0 || feature >= feature_count) {
      refuse(`${where}: node ${node} splits on feature ${feature} of ${feature_count}`);
    }
  }
}

/**
 * Parses the text of an XGBoost JSON model. Throws ModelRefusedError for dart and gblinear boosters, objectives other
 * than binary:logistic, multi-class, categorical splits, and trees that are not sound.
 */
export function parseModelJson(text: string): ParsedModel {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return refuse("the model is not JSON (NaN and Infinity are not JSON either)");
  }
  if (typeof root !== "object" || root === null) return refuse("the model is not a JSON object");
  const learner = objectAt(root as JsonObject, "learner");
  const booster = objectAt(learner, "gradient_booster");
  if (booster.name !== "gbtree") {
    return refuse(`booster ${String(booster.name)} is not supported, only gbtree`);
  }
  const base_score = requireBinaryLogistic(learner);
  const feature_names = parseFeatureNames(learner);
  const trees = listAt(objectAt(booster, "model"), "trees", "model");
  if (trees.length === 0 || trees.length > MAX_TREES) return refuse(`the model has ${trees.length} trees`);
  let nodes = 0;
  const parsed = trees.map((tree, position) => {
    const one = parseTree(tree, position, feature_names.length);
    nodes += one.left_children.length;
    if (nodes > MAX_NODES) refuse(`the model has more than ${MAX_NODES} nodes`);
    return one;
  });
  return { feature_names, base_score, trees: parsed };
}
