/** The audit could not run: nothing was said about the ledger. `next` tells the auditor what to do. */
export class AuditError extends Error {
  override readonly name = "AuditError";
  readonly next: string;

  constructor(message: string, next: string, options?: ErrorOptions) {
    super(message, options);
    this.next = next;
  }
}

/** The code of a system error such as ENOENT, if it is one. */
export function systemErrorCode(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
