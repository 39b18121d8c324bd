/** Runs tasks in the order they came, at most so many at a time. */
export class TaskQueue {
  readonly #concurrency: number;
  readonly #waitingMax: number;
  #waiting: (() => Promise<void>)[] = [];
  #running = 0;
  #watchers: (() => void)[] = [];

  constructor(limits: { concurrency: number; waitingMax: number }) {
    this.#concurrency = limits.concurrency;
    this.#waitingMax = limits.waitingMax;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Takes a task that handles its own errors. Resolves once it is accepted, which waits while the queue is full. */
  async add(task: () => Promise<void>): Promise<void> {
    while (this.#waiting.length >= this.#waitingMax) await this.#change();
    this.#waiting.push(task);
    this.#startNext();
  }

  /** Forgets the tasks that have not started. */
  clear(): void {
    this.#waiting = [];
    this.#notify();
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    while (this.#running > 0 || this.#waiting.length > 0) await this.#change();
  }

  #startNext(): void {
    while (this.#running < this.#concurrency) {
      const task = this.#waiting.shift();
      if (task === undefined) return;
      this.#running += 1;
      void task().finally(() => {
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
