type Task = { run: () => Promise<void>; bytes: number };

/** Runs tasks in the order they came, at most so many at a time. */
export class TaskQueue {
  readonly #concurrency: number;
  readonly #waitingMax: number;
  readonly #waitingBytesMax: number;
  #waiting: Task[] = [];
  #waitingBytes = 0;
  #running = 0;
  #watchers: (() => void)[] = [];

  constructor(limits: { concurrency: number; waitingMax: number; waitingBytesMax: number }) {
    this.#concurrency = limits.concurrency;
    this.#waitingMax = limits.waitingMax;
    this.#waitingBytesMax = limits.waitingBytesMax;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Takes a task that handles its own errors and holds about `bytes` of memory until it starts. Resolves once it is
   * accepted, which waits while the queue is full. A queue with nothing waiting takes a task of any size.
   */
  async add(bytes: number, run: () => Promise<void>): Promise<void> {
    while (this.#isFullFor(bytes)) await this.#change();
    this.#waiting.push({ run, bytes });
    this.#waitingBytes += bytes;
    this.#startNext();
  }

  /** Forgets the tasks that have not started. */
  clear(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#notify();
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    while (this.#running > 0 || this.#waiting.length > 0) await this.#change();
  }

  #isFullFor(bytes: number): boolean {
    const { length } = this.#waiting;
    if (length === 0) return false;
    return length >= this.#waitingMax || this.#waitingBytes + bytes > this.#waitingBytesMax;
  }

  #startNext(): void {
    while (this.#running < this.#concurrency) {
      const task = this.#waiting.shift();
      if (task === undefined) return;
      this.#waitingBytes -= task.bytes;
      this.#running += 1;
      void task.run().finally(() => {
        this.#running -= 1;
        this.#startNext();
        this.#notify();
      });
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#watchers.push(resolve));
  }

  #notify(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const resume of watchers) resume();
  }
}
