import path from "node:path";
import { defineConfig } from "vitest/config";

const shared = { testTimeout: 60_000, hookTimeout: 60_000, pool: "threads" } as const;

// Hundreds of processes are started, of the same modules: they are compiled once.
process.env["NODE_COMPILE_CACHE"] ??= path.resolve("node_modules/.cache/daybook");

/**
 * They start programs, all or nearly all of them. A process is forked with its whole address space, so they run in
 * small processes of their own instead of threads of one large process.
 */
const PROGRAMS = [
  "tests/host/**/*.test.ts",
  "audit/{main,verify}.test.ts",
  "embedded/{maintenance,push}/**/*.test.ts",
  "embedded/server/start.test.ts",
  "scripts/**/*.test.ts",
];

export default defineConfig({
  test: {
    // Many tests wait for processes, disks and clocks: three files at once use a machine of two cores better than two.
    maxWorkers: 3,
    projects: [
      {
        test: {
          ...shared,
          name: "units",
          environment: "edge-runtime",
          include: ["convex/**/*.test.ts"],
          // Small and pure, so they share one world; what a test changes of it is put back after it.
          isolate: false,
          restoreMocks: true,
          unstubEnvs: true,
          unstubGlobals: true,
        },
      },
      {
        test: {
          ...shared,
          name: "node",
          environment: "node",
          include: ["{ledger,audit,embedded,simulators,bench}/**/*.test.ts"],
          exclude: ["**/node_modules/**", ...PROGRAMS],
        },
      },
      {
        test: {
          ...shared,
          pool: "forks",
          name: "programs",
          environment: "node",
          include: PROGRAMS,
        },
      },
      {
        test: {
          ...shared,
          name: "convex",
          environment: "edge-runtime",
          include: ["tests/convex/**/*.test.ts"],
          server: { deps: { inline: ["convex-test"] } },
        },
      },
      {
        test: {
          ...shared,
          testTimeout: 180_000,
          name: "faults",
          environment: "node",
          include: ["tests/faults/**/*.test.ts"],
        },
      },
      {
        test: {
          ...shared,
          pool: "forks",
          testTimeout: 600_000,
          name: "property",
          environment: "node",
          include: ["property-tests/**/*.test.ts"],
          server: { deps: { inline: ["convex-test"] } },
        },
      },
    ],
  },
});
