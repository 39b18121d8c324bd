/** Why a maintenance command did not do its work. The message says what to do about it. */
export class MaintenanceError extends Error {
  override readonly name = "MaintenanceError";
}
