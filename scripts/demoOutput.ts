/** How the demo speaks, and what its parts have in common. */
import pc from "picocolors";

export const out = (line = ""): void => {
  process.stdout.write(`${line}\n`);
};

export function heading(text: string): void {
  out();
  out(pc.bold(text));
}

export function did(who: string, what: string): void {
  out(`  ${pc.cyan(who.padEnd(10))} ${what}`);
}

export function saw(who: string, what: string): void {
  out(`  ${pc.green(who.padEnd(10))} ${pc.dim("sees, live:")} ${what}`);
}

export type Response = { status: "committed" } | { status: "rejected"; code: string; message: string };

export function requireCommitted<R extends Response>(response: R): Extract<R, { status: "committed" }> {
  if (response.status === "rejected") throw new Error(`${response.code}: ${response.message}`);
  return response as Extract<R, { status: "committed" }>;
}

/** Resolves when the subscription's value satisfies `wanted`. */
export async function until<T>(
  subscribe: (listen: (value: T) => void) => () => void,
  wanted: (value: T) => boolean,
): Promise<T> {
  return await new Promise<T>((resolve) => {
    const unsubscribe = subscribe((value) => {
      if (!wanted(value)) return;
      resolve(value);
      setTimeout(() => {
        unsubscribe();
      }, 0);
    });
  });
}
