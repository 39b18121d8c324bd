/** The seed of random tests, and the numbers that override what the gate plays. */
import { randomInt } from "node:crypto";

/** The seed of the gate: a change is judged on the cases that judged the one before it. */
const GATE_SEED = 20_261_121;
const SEED_LIMIT = 2 ** 31;

export function integerFrom(name: string): number | undefined {
  const text = process.env[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error(`${name} must be an integer`);
  return value;
}

/** PROPERTY_SEED: an integer, or `random` for cases never seen before. */
export function seedFrom(): number {
  if (process.env["PROPERTY_SEED"] === "random") return randomInt(SEED_LIMIT);
  return integerFrom("PROPERTY_SEED") ?? GATE_SEED;
}
