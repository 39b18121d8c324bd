/** The switches of a simulator that runs, called over HTTP, with tables for people. */
import Table from "cli-table3";

/** Refused, or nobody there; the message says which. */
export class SimulatorCallError extends Error {}

async function call(url: string, path: string, init: RequestInit): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(new URL(`/_simulator/${path}`, url), init);
  } catch (error) {
    throw new SimulatorCallError(
      `No simulator answers at ${url}. Start one with: npm run simulator -- start`,
      {
        cause: error,
      },
    );
  }
  const answer = (await response.json()) as { error?: { message?: string } };
  if (!response.ok) throw new SimulatorCallError(answer.error?.message ?? `HTTP ${response.status}`);
  return answer;
}

// Terminals act on control characters, and metadata may hold any.
const printable = (value: unknown) =>
  (typeof value === "string" ? value : JSON.stringify(value)).replace(/\p{Cc}/gu, "\uFFFD");

function table(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const [first] = rows;
  if (first === undefined) return "none";
  const head = Object.keys(first);
  const shown = new Table({ head, style: { head: [], border: [] } });
  for (const row of rows) shown.push(head.map((name) => printable(row[name] ?? "")));
  return shown.toString();
}

/** One of the overview's lists, as a table. */
export async function show(url: string, list: string): Promise<string> {
  const all = (await call(url, "overview", {})) as Record<string, Record<string, unknown>[]>;
  return table(all[list] ?? []);
}

/** Flips a switch; gives what it changed as a table of its plain fields. */
export async function flip(url: string, path: string, input: object): Promise<string> {
  const result = (await call(url, path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(input),
  })) as Record<string, unknown>;
  const shown = new Table({ style: { head: [], border: [] } });
  for (const [name, value] of Object.entries(result)) {
    const isPlain = value !== null && typeof value !== "object";
    if (isPlain) shown.push({ [name]: printable(value) });
  }
  return shown.toString();
}
