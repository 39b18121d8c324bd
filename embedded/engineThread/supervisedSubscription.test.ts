import { describe, expect, test } from "vitest";
import type { LiveQuery } from "../engine/contract.ts";
import { callOf } from "../engine/testing/testEngine.ts";
import type { Refreshed } from "./messages.ts";
import { SupervisedSubscription } from "./supervisedSubscription.ts";

const QUERY: LiveQuery = { call: callOf("notes:texts"), journal: null };

/** A subscription over a thread whose answers the test gives. */
class Scene {
  readonly answers: ((refreshed: Refreshed) => void)[] = [];
  readonly told: string[] = [];
  staleCount = 0;
  settledTs = 0n;
  readonly subscription: SupervisedSubscription;

  constructor() {
    const thread = {
      request: () => new Promise<never>((resolve) => this.answers.push(resolve as (value: unknown) => void)),
      notify: ({ kind }: { kind: string }) => void this.told.push(kind),
      settledTs: () => this.settledTs,
    };
    const host = {
      thread: () => Promise.resolve(thread),
      anyStopped: () => false,
      stoppedResult: () => null,
    };
    this.subscription = new SupervisedSubscription(1, host, {
      onStale: () => {
        this.staleCount += 1;
      },
      onClose: () => undefined,
    });
    this.subscription.add(1, QUERY);
  }

  /** Refreshes; `answer` acts as the thread does meanwhile. */
  async refresh(answer: (answers: Scene["answers"]) => void): Promise<Refreshed> {
    const refreshed = this.subscription.refresh();
    await new Promise((resolve) => setImmediate(resolve));
    answer(this.answers.splice(0));
    return await refreshed;
  }

  async refreshAt(ts: bigint): Promise<Refreshed> {
    return await this.refresh(([answer]) => answer?.({ ts, results: new Map() }));
  }
}

describe("a subscription over the engine's thread", () => {
  test("asks the thread nothing while no commit touched it, and knows the newest settled timestamp", async () => {
    const scene = new Scene();
    expect((await scene.refreshAt(5n)).ts).toBe(5n);
    scene.settledTs = 7n;
    const asked: number[] = [];
    const again = await scene.refresh((answers) => asked.push(answers.length));
    expect([again.ts, again.results.size, asked]).toEqual([7n, 0, [0]]);
  });

  test("asks again after a commit touched it, and for a new query", async () => {
    const scene = new Scene();
    await scene.refreshAt(5n);
    scene.subscription.stale();
    expect((await scene.refreshAt(6n)).ts).toBe(6n);
    scene.subscription.add(2, QUERY);
    expect((await scene.refreshAt(7n)).ts).toBe(7n);
    expect(scene.staleCount).toBe(1);
  });

  test("goes stale at once when a commit touched it while the answer was on its way", async () => {
    const scene = new Scene();
    await scene.refresh(([answer]) => {
      scene.subscription.stale();
      answer?.({ ts: 5n, results: new Map() });
    });
    expect(scene.staleCount).toBe(1);
    expect((await scene.refreshAt(6n)).ts).toBe(6n);
  });

  test("is closed once, however often it is asked to", async () => {
    const scene = new Scene();
    await scene.refreshAt(5n);
    scene.subscription.close();
    scene.subscription.close();
    expect(scene.told).toEqual(["subscribe", "add", "unsubscribe"]);
  });
});
