/** The id of a field that holds an id, or the object when it was expanded; empty for null. */
export const idOf = (reference: string | { readonly id: string } | null | undefined): string =>
  typeof reference === "string" ? reference : (reference?.id ?? "");
