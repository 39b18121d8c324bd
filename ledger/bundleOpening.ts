/** What stands in an export before its first event: the manifest, and in a bundle the lines of evidence. */
import { parseManifest } from "./bundle.ts";
import type { Line, Manifest } from "./bundle.ts";
import { EvidenceReader } from "./evidenceLines.ts";
import type { BundleEvidence } from "./evidenceLines.ts";

export interface Opening {
  readonly manifest: Manifest;
  readonly evidence: BundleEvidence;
}

export type OpeningStep =
  | { readonly kind: "more" }
  | { readonly kind: "done"; readonly opening: Opening }
  /** These bytes do not claim to be an export. */
  | { readonly kind: "not a bundle"; readonly reason: string }
  /** They claim to be one and are not written as the format says. */
  | { readonly kind: "not canonical"; readonly reason: string };

/** Use one for one export; give it the lines from the first on, until it asks for no more. */
export class OpeningReader {
  readonly #reader = new EvidenceReader();
  #manifest: Manifest | undefined;
  #left = 0;

  /** The manifest, once its line was read and is sound. */
  get manifest(): Manifest | undefined {
    return this.#manifest;
  }

  take(line: Line): OpeningStep {
    return this.#manifest === undefined ? this.#takeManifest(line) : this.#takeEvidence(line, this.#manifest);
  }

  /** What it comes to when no further line follows. */
  finish(): Exclude<OpeningStep, { readonly kind: "more" | "done" }> {
    return this.#manifest === undefined
      ? { kind: "not a bundle", reason: "the input is empty" }
      : { kind: "not canonical", reason: `the end, ${this.#left} lines of evidence before the first event` };
  }

  #takeManifest(line: Line): OpeningStep {
    if (line.kind !== "line") return { kind: "not a bundle", reason: "the first line is not a manifest" };
    const parsed = parseManifest(line.text);
    if (!parsed.ok)
      return { kind: parsed.isBundle ? "not canonical" : "not a bundle", reason: parsed.reason };
    this.#left = parsed.manifest.evidence ?? 0;
    this.#manifest = parsed.manifest;
    return this.#step(parsed.manifest);
  }

  #takeEvidence(line: Line, manifest: Manifest): OpeningStep {
    if (line.kind !== "line") {
      const reason = line.kind === "unfinished" ? "a line without a newline at its end" : line.reason;
      return { kind: "not canonical", reason };
    }
    const fault = this.#reader.take(line.text);
    if (fault !== undefined) return { kind: "not canonical", reason: fault };
    this.#left -= 1;
    return this.#step(manifest);
  }

  #step(manifest: Manifest): OpeningStep {
    if (this.#left > 0) return { kind: "more" };
    return { kind: "done", opening: { manifest, evidence: this.#reader.evidence } };
  }
}
