/** Convex's limits, enforced here as well so that a folder that runs on this host also runs there. */

const KIB = 1024;
const MIB = 1024 * KIB;

export const LIMITS = {
  bytesReadMax: 16 * MIB,
  bytesWrittenMax: 16 * MIB,
  documentsReadMax: 32_000,
  documentsWrittenMax: 16_000,
  indexRangesReadMax: 4_096,
  functionsScheduledMax: 1_000,
  scheduledArgsBytesMax: 4 * MIB,
  scheduledArgsTotalBytesMax: 16 * MIB,
  argumentsBytesMax: 16 * MIB,
  returnValueBytesMax: 16 * MIB,
  /** Of arguments and return values; documents are held to `documentDepthMax`. */
  valueDepthMax: 64,
  objectFieldsMax: 1_024,
  arrayLengthMax: 8_192,
  fieldNameLengthMax: 1_024,
  documentBytesMax: MIB,
  documentDepthMax: 16,
  identifierLengthMax: 64,
  tablesMax: 10_000,
  indexesPerTableMax: 32,
  fieldsPerIndexMax: 16,
  /** Of one `.paginate()`. */
  pageSizeMax: 32_000,
  /** Calls of queries and mutations below the outermost one. */
  nestedCallDepthMax: 8,
  /** How far from now a function can be scheduled, either way. */
  scheduleDistanceMaxMs: 5 * 366 * 24 * 3_600_000,
  functionTimeMs: 1_000,
  logLinesMax: 256,
  logLineBytesMax: 4 * KIB,
} as const;

/** What the host itself bounds; Convex has no such number or keeps it to itself. */
export const HOST_LIMITS = {
  mutationsPerCommitMax: 64,
  commitGroupTimeMs: 50,
  readsBetweenCommitsMax: 64,
  /** One client's live queries are evaluated for so long at a time; then it is the others' turn. */
  refreshSliceMs: 10,
  cachedQueriesMax: 512,
  /** A cached result that looked at the clock is not handed to newcomers after this. */
  clockResultAgeMaxMs: 5_000,
  concurrentScheduledJobsMax: 64,
  finishedJobKeptMs: 7 * 24 * 3_600_000,
  /** How long, and over how many changed documents, earlier moments can be read. */
  historyKeptMs: 30_000,
  historyChangesMax: 20_000,
  sessionRequestKeptMs: 14 * 24 * 3_600_000,
  /** How long actions may keep the engine's thread to themselves without letting its event loop turn. */
  threadSilenceMaxMs: 5_000,
  /** How long a call that was stopped is refused without being run again. */
  stoppedCallRefusedMs: 10_000,
  /** How long running actions may go on once the engine is told to close. */
  closeGraceMs: 10_000,
  /** Ends of the engine's thread that no function explains; after these the host gives up. */
  threadFailuresMax: 3,
  threadFailuresForgottenMs: 60_000,
  /** Timers follow the monotonic clock: a wall clock that is set forward is noticed after this at the latest. */
  timerMaxMs: 5_000,
  /** A calendar cron repeats no time when the clock is set back by less. By more, the clock was wrong before. */
  clockSetBackMaxMs: 24 * 3_600_000,
} as const;
