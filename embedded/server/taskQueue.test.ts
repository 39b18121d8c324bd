import { expect, test } from "vitest";
import { TaskQueue } from "./taskQueue.ts";

/** Tasks that end when told, and a record of what started. */
function controlled(): {
  started: number[];
  task: (id: number) => () => Promise<void>;
  end: (id: number) => void;
} {
  const started: number[] = [];
  const enders = new Map<number, () => void>();
  return {
    started,
    task: (id) => () => {
      started.push(id);
      return new Promise<void>((resolve) => enders.set(id, resolve));
    },
    end: (id) => enders.get(id)?.(),
  };
}

/** Lets everything that is ready run. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test("tasks start in order, no more at a time than allowed", async () => {
  const queue = new TaskQueue({ concurrency: 2, waitingMax: 10, waitingBytesMax: 100 });
  const { started, task, end } = controlled();
  for (const id of [1, 2, 3, 4]) await queue.add(1, task(id));
  expect(started).toEqual([1, 2]);
  end(2);
  await settle();
  expect(started).toEqual([1, 2, 3]);
});

test("a full queue accepts the next task only when one has started", async () => {
  const queue = new TaskQueue({ concurrency: 1, waitingMax: 1, waitingBytesMax: 100 });
  const { task, end } = controlled();
  await queue.add(1, task(1));
  await queue.add(1, task(2));
  let accepted = false;
  void queue.add(1, task(3)).then(() => (accepted = true));
  await settle();
  expect(accepted).toBe(false);
  end(1);
  await settle();
  expect(accepted).toBe(true);
});

test("idle waits for what runs; cleared tasks never start", async () => {
  const queue = new TaskQueue({ concurrency: 1, waitingMax: 10, waitingBytesMax: 100 });
  const { started, task, end } = controlled();
  await queue.add(1, task(1));
  await queue.add(1, task(2));
  queue.clear();
  let idle = false;
  void queue.idle().then(() => (idle = true));
  await settle();
  expect(idle).toBe(false);
  end(1);
  await settle();
  expect([idle, started]).toEqual([true, [1]]);
});

test("a queue is full of few tasks that are large, and takes any task when nothing waits", async () => {
  const queue = new TaskQueue({ concurrency: 1, waitingMax: 10, waitingBytesMax: 100 });
  const { started, task, end } = controlled();
  await queue.add(1, task(1));
  await queue.add(500, task(2));
  let accepted = false;
  void queue.add(1, task(3)).then(() => (accepted = true));
  await settle();
  expect(accepted).toBe(false);
  end(1);
  await settle();
  expect([accepted, started]).toEqual([true, [1, 2]]);
});
