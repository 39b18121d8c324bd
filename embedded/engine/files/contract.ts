/**
 * What the network side may ask of file storage. Only plain data crosses this line: the server moves the bytes
 * between socket and disk itself.
 */

/** What is known of a file's bytes. `sha256` is base64, as in a Digest header (RFC 3230). */
export type FileContent = { size: number; sha256: string; contentType: string | null };

/** An upload that was let in. Its bytes go to a new file at `path`, which must be durable before the commit. */
export type Upload = { component: string; path: string };

export type UploadAdmission = { ok: true; upload: Upload } | { ok: false; reason: "invalid" | "expired" };

/** A stored file, and where its bytes are. They never change; they go when the file is deleted. */
export type StoredFile = FileContent & { path: string };

export interface Files {
  /** Checks the token of an upload URL. Nothing is stored yet. */
  admitUpload(token: string): Promise<UploadAdmission>;
  /**
   * Makes the file at `upload.path` a stored one; returns its id, the same when called again. When it throws nothing
   * is stored, and the file at that path is the caller's to remove; after a StorageFailure the next start decides.
   */
  commitUpload(upload: Upload, content: FileContent): Promise<string>;
  /** The file with this key, which is the last part of the URL that `getUrl` gives. */
  find(key: string): Promise<StoredFile | null>;
}
