/** Why a caller was refused; the message may be shown to them, so it holds nothing of what they sent. */
export class AuthenticationError extends Error {
  readonly code: "Unauthenticated" | "BadAdminKey";

  constructor(message: string, options?: { code?: "BadAdminKey"; cause?: unknown }) {
    super(message, { cause: options?.cause });
    this.code = options?.code ?? "Unauthenticated";
  }
}
