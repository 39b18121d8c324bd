/** Messages to another thread, those of one moment in one: waking a thread costs more than most of them. */
export class MessageBatch<Message> {
  readonly #post: (messages: Message[]) => void;
  readonly #whenDue: (flush: () => void) => void;
  #messages: Message[] = [];

  /** `whenDue` calls back at the end of the moment. */
  constructor(post: (messages: Message[]) => void, whenDue: (flush: () => void) => void) {
    this.#post = post;
    this.#whenDue = whenDue;
  }

  add(message: Message): void {
    this.#messages.push(message);
    if (this.#messages.length > 1) return;
    this.#whenDue(() => {
      const messages = this.#messages;
      this.#messages = [];
      this.#post(messages);
    });
  }
}
