/** Convex's limits on one stored document, and its size as Convex counts it. */
import { PlatformError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { fieldNameProblem, specialKeyOf, type Json, type JsonObject } from "./json.ts";

export type DocumentShape = { sizeBytes: number; usesCommitTs: boolean };

function tooMuch(what: string, limit: number): PlatformError {
  return new PlatformError(`Document ${what} (limit: ${limit}).`);
}

function inspectSpecial(key: string, value: JsonObject, shape: DocumentShape): void {
  if (key === "$commitTs") shape.usesCommitTs = true;
  if (key === "$undefined") throw new PlatformError("undefined is not a valid Convex value");
  const payload = value[key];
  shape.sizeBytes += key === "$bytes" && typeof payload === "string" ? 2 + payload.length * 0.75 : 9;
}

function inspectObject(value: JsonObject, depth: number, shape: DocumentShape): void {
  const keys = Object.keys(value);
  if (keys.length > LIMITS.documentFieldsMax) {
    throw tooMuch(`has an object with ${keys.length} fields`, LIMITS.documentFieldsMax);
  }
  shape.sizeBytes += 2;
  for (const key of keys) {
    const problem = fieldNameProblem(key);
    if (problem !== null) throw new PlatformError(`Invalid document: ${problem}`);
    shape.sizeBytes += key.length + 1;
    inspectValue(value[key] ?? null, depth + 1, shape);
  }
}

function inspectArray(value: Json[], depth: number, shape: DocumentShape): void {
  if (value.length > LIMITS.arrayLengthMax) {
    throw tooMuch(`has an array of length ${value.length}`, LIMITS.arrayLengthMax);
  }
  shape.sizeBytes += 2;
  for (const element of value) inspectValue(element, depth + 1, shape);
}

function inspectString(value: string, shape: DocumentShape): void {
  // UTF-8 has no lone surrogates: stored, two different strings would become one.
  if (!value.isWellFormed()) throw new PlatformError("Invalid document: a string has a lone surrogate");
  shape.sizeBytes += 2 + Buffer.byteLength(value, "utf8");
}

function inspectValue(value: Json, depth: number, shape: DocumentShape): void {
  if (typeof value === "string") inspectString(value, shape);
  else if (typeof value === "number") shape.sizeBytes += 9;
  else if (value === null || typeof value === "boolean") shape.sizeBytes += 1;
  else {
    if (depth > LIMITS.documentDepthMax) throw tooMuch("is nested too deeply", LIMITS.documentDepthMax);
    if (Array.isArray(value)) inspectArray(value, depth, shape);
    else {
      const special = specialKeyOf(value);
      if (special === null) inspectObject(value, depth, shape);
      else inspectSpecial(special, value, shape);
    }
  }
}

/** Measures a document that is about to be stored. Throws a PlatformError that names the limit it breaks. */
export function inspectDocument(document: JsonObject): DocumentShape {
  const shape: DocumentShape = { sizeBytes: 0, usesCommitTs: false };
  inspectObject(document, 1, shape);
  if (shape.sizeBytes > LIMITS.documentBytesMax) {
    throw tooMuch(`is ${Math.ceil(shape.sizeBytes)} bytes`, LIMITS.documentBytesMax);
  }
  return shape;
}
