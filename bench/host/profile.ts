/** Where a process spent its time: V8's CPU profile, summed up by what the time was for. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

type Profile = {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  samples: number[];
  timeDeltas: number[];
};

/** The first that matches a frame is what it is for. */
const PURPOSES: readonly [purpose: string, matches: (name: string, url: string) => boolean][] = [
  ["waiting", (name) => name === "(idle)"],
  ["garbage collection", (name) => name === "(garbage collector)"],
  ["SQLite, durable commits included", (_name, url) => /storage\/(store|watchedDatabase)\.ts$/.test(url)],
  [
    "functions and Convex's library in them",
    (_name, url) => url.startsWith("convex:") || url.endsWith("/bundle.js"),
  ],
  ["encryption and hashes", (_name, url) => url.includes("internal/crypto")],
  [
    "network",
    (name, url) =>
      /node:(net|http|_http|stream|internal\/(streams|stream_base))|\/ws\//.test(url) ||
      name.startsWith("write"),
  ],
  ["engine", (_name, url) => url.includes("embedded/engine/")],
  ["server", (_name, url) => url.includes("embedded/server/")],
];

/** Milliseconds by purpose, the longest first, of all profiles in a folder: one for each thread. */
export function timeByPurpose(folder: string): [purpose: string, ms: number][] {
  const totals = new Map<string, number>();
  const files = readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
  if (files.length === 0) throw new Error("the host left no profile");
  for (const file of files) {
    addTimes(JSON.parse(readFileSync(path.join(folder, file), "utf8")) as Profile, totals);
  }
  return [...totals].sort(([, one], [, other]) => other - one);
}

function addTimes(profile: Profile, totals: Map<string, number>): void {
  const purposeOf = new Map(
    profile.nodes.map(({ id, callFrame: { functionName, url } }) => {
      const found = PURPOSES.find(([, matches]) => matches(functionName, url));
      return [id, found?.[0] ?? "everything else"];
    }),
  );
  profile.samples.forEach((sample, index) => {
    const purpose = purposeOf.get(sample) ?? "everything else";
    totals.set(purpose, (totals.get(purpose) ?? 0) + (profile.timeDeltas[index] ?? 0) / 1_000);
  });
}
