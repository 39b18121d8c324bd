/** The id-typed arguments of a function, from its schema itself: whatever is added to one is found. */
import { z } from "zod";

export type IdArgument = {
  /** The argument's name; the way to it where it is inside another. */
  path: readonly string[];
  /** `usr` of `usr_…`; undefined for an id of somebody else's form. */
  prefix: string | undefined;
};

type JsonSchema = {
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  type?: string;
  pattern?: string;
};

const OUR_ID = /^\^([a-z]{3})_/;

function walk(schema: JsonSchema, path: readonly string[]): IdArgument[] {
  const name = path.at(-1) ?? "";
  const prefix = OUR_ID.exec(schema.pattern ?? "")?.[1];
  const isId = prefix !== undefined || (schema.type === "string" && /(?:^id|Id)$/.test(name));
  return [
    ...(isId ? [{ path, prefix }] : []),
    ...Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => walk(inner, [...path, key])),
    ...(schema.items === undefined ? [] : walk(schema.items, [...path, "0"])),
    ...(schema.anyOf ?? []).flatMap((inner) => walk(inner, path)),
  ];
}

/** Every argument of a schema that holds an id, inside arrays and objects too. */
export function idArgumentsOf(schema: z.ZodType): IdArgument[] {
  return walk(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema, []);
}
