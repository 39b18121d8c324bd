/** A POST to somebody else's server: no redirect is followed, and neither time nor bytes are theirs to choose. */

const TIMEOUT_MS = 10_000;
/** More than 128 signature lines of the longest names. */
const BODY_BYTES_MAX = 65_536;

export type Posted = { ok: true; status: number; body: string } | { ok: false; reason: string };

async function readBounded(response: Response): Promise<string | undefined> {
  const declared = Number(response.headers.get("content-length") ?? "0");
  if (declared > BODY_BYTES_MAX) return undefined;
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > BODY_BYTES_MAX) {
      await reader.cancel();
      return undefined;
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return new TextDecoder().decode(bytes);
}

/** Posts a text; answers status and body (64 KiB at most), or why there is none. Never throws. */
export async function postText(url: string, body: string): Promise<Posted> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "text/plain; charset=utf-8" },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await readBounded(response);
    if (text === undefined) return { ok: false, reason: `more than ${BODY_BYTES_MAX} bytes` };
    return { ok: true, status: response.status, body: text };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.name : "no answer" };
  }
}
