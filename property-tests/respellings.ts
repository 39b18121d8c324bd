/** Other spellings of a canonical JSON text that any parser reads as the same value. */
import type { Draw } from "./bundleDamages.ts";

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+|[{}[\]:,]|true|false|null/gu;

function respelledNumber(token: string, draw: Draw): string {
  const spellings = [`${token}.0`, `${token}e0`, `${token}E+0`, `${token}0e-1`, `${token}.000`];
  if (token === "0") spellings.push("-0");
  return spellings[draw(spellings.length)] ?? token;
}

/** One code unit as an escape that it needs not have, or in upper-case hexadecimal. */
function respelledString(token: string, draw: Draw): string {
  const value = String(JSON.parse(token));
  if (value === "") return token;
  const at = draw(value.length);
  const inner = (text: string) => JSON.stringify(text).slice(1, -1);
  const hex = value.charCodeAt(at).toString(16).padStart(4, "0");
  const escaped =
    value[at] === "/" && draw(2) === 0 ? "\\/" : `\\u${draw(2) === 0 ? hex : hex.toUpperCase()}`;
  return `"${inner(value.slice(0, at))}${escaped}${inner(value.slice(at + 1))}"`;
}

function respelledToken(text: string, draw: Draw): string {
  const tokens = [...text.matchAll(TOKENS)].map(([token]) => token);
  const at = draw(tokens.length);
  const token = tokens[at] ?? "";
  const isNumber = /^-?\d/.test(token);
  const space = [" ", "\t", "\r", "  "][draw(4)] ?? " ";
  const other = isNumber
    ? respelledNumber(token, draw)
    : token.startsWith('"')
      ? respelledString(token, draw)
      : token + space;
  return tokens.with(at, other).join("");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Members moved, or one of them written twice, in one of the value's objects. */
function respelledMembers(text: string, draw: Draw): string {
  const objects: unknown[] = [];
  const find = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    if (isRecord(value) && Object.keys(value).length > 0) objects.push(value);
    Object.values(value).forEach(find);
  };
  const root: unknown = JSON.parse(text);
  find(root);
  const chosen = objects[draw(objects.length)];
  const write = (value: unknown): string => {
    if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
    if (!isRecord(value)) return JSON.stringify(value);
    const keys = Object.keys(value).sort((one, other) => (one < other ? -1 : 1));
    const members = keys.map((key) => `${JSON.stringify(key)}:${write(value[key])}`);
    return `{${(value === chosen ? rearranged(members, draw) : members).join(",")}}`;
  };
  return write(root);
}

function rearranged(members: readonly string[], draw: Draw): readonly string[] {
  const from = draw(members.length);
  const member = members[from] ?? "";
  const kept = draw(2) === 0 ? members.toSpliced(from, 1) : members;
  return kept.toSpliced(draw(kept.length + 1), 0, member);
}

/** The text in another spelling, or as it is when there is none where the draw fell. */
export function respell(text: string, draw: Draw): string {
  return draw(3) === 0 ? respelledMembers(text, draw) : respelledToken(text, draw);
}
